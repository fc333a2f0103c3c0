"""What can be seen of a clip: its scene, and for each thing that a text asks for the one found."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from generator.foal.measures.appearance import (
    classify_shape,
    classify_size,
    find_shadow,
    half_width,
    measure_surface,
)
from generator.foal.measures.camera import Backdrop, fit_backdrop
from generator.foal.measures.motion_classification import (
    MotionType,
    classify_motion,
    find_collisions,
)
from generator.foal.measures.object_tracks import Track, track_things
from generator.foal.measures.segmentation import (
    MIN_FRAME_SHARE,
    Region,
    Segmentation,
    count_things,
    downsample,
    find_merged,
    find_regions,
    segment_colours,
)
from generator.foal.world.captions import Description, ThingRequest
from generator.foal.world.scenes import Material, Shape, Size

MIN_FRAMES = 8
MIN_UNOCCLUDED = 6  # frames: what is whole in fewer may be two things that look like one
AIRBORNE_MOTIONS = (MotionType.SWING, MotionType.ORBIT, MotionType.AIR)


@dataclass(frozen=True)
class DetectedThing:
    """One thing as it was seen; None where it could not be told."""

    colour: str
    track: Track
    shape: Shape | None
    material: Material | None
    size: Size | None
    half: float  # half its width, picture heights
    motion_type: MotionType | None

    @property
    def is_present(self) -> bool:
        """Whether it could be seen, or was rightly hidden, most of the time."""
        return bool(self.track.present.mean() >= 0.5)


@dataclass(frozen=True)
class SceneDetection:
    """A clip as it was seen. `things` stand in the order of the wishes that they were found for."""

    backdrop: Backdrop
    counts: dict[str, int]  # how many things of each colour were seen
    things: tuple[DetectedThing, ...]
    collided: tuple[bool | None, ...]  # whether a thing hit another, None where that was hidden

    @property
    def paths(self) -> list[np.ndarray]:
        """(T, 2) each, in the world's coordinates, NaN where not whole."""
        return [thing.track.centre for thing in self.things]


def detect_scene(frames: np.ndarray, request: Description, *, fps: float) -> SceneDetection:
    """Find the scene and the things that a text asks for in frames (T, H, W, 3), uint8.

    Raises:
        ValueError: frames that are no clip.
    """
    if frames.ndim != 4 or frames.shape[-1] != 3 or len(frames) < MIN_FRAMES:
        raise ValueError(f"a clip is (T >= {MIN_FRAMES}, H, W, 3) frames, not {frames.shape}.")
    small = downsample(frames)
    backdrop = fit_backdrop(small)
    segmentation = segment_colours(small, backdrop)
    regions = find_regions(segmentation)
    requested_counts = Counter(thing.colour for thing in request.things)
    counts, merged = {}, {}
    for colour, shown in regions.items():
        count = count_things(shown)
        if 0 < count < requested_counts[colour]:
            # Things of one colour may hide each other all the time: their outline tells.
            flags = find_merged(shown, segmentation, colour)
            if np.mean([any(frame) for frame in flags]) >= MIN_FRAME_SHARE:
                count, merged[colour] = count + 1, flags
        if count:
            counts[colour] = count
    colours = _search_colours(request, counts)
    candidates = []
    for colour, count in Counter(colours).items():
        no_regions: list[list[Region]] = [[] for _ in frames]
        tracks = track_things(
            regions.get(colour, no_regions), count, segmentation, backdrop, merged.get(colour)
        )
        candidates += [
            _classify(track, colour, small, segmentation, backdrop, fps) for track in tracks
        ]
    things = _match_requests(request, colours, candidates)
    collided = find_collisions(
        [thing.track for thing in things], [thing.half for thing in things], fps
    )
    return SceneDetection(backdrop, counts, tuple(things), tuple(collided))


def _search_colours(request: Description, counts: dict[str, int]) -> list[str]:
    """The colour in which to look for each thing: its own, else of one that nobody asked for.

    A thing in a wrong colour is a fault of colour only: it is there, and moves.
    """
    remaining = dict(counts)
    chosen: list[str | None] = []
    for thing in request.things:
        available = thing.colour is not None and remaining.get(thing.colour, 0) > 0
        chosen.append(thing.colour if available else None)
        if available:
            remaining[str(thing.colour)] -= 1
    spare = [colour for colour, count in remaining.items() for _ in range(count)]
    fallback = next(iter(counts), "red")
    return [
        colour or (spare.pop(0) if spare else thing.colour or fallback)
        for colour, thing in zip(chosen, request.things, strict=True)
    ]


def _classify(
    track: Track,
    colour: str,
    frames: np.ndarray,
    segmentation: Segmentation,
    backdrop: Backdrop,
    fps: float,
) -> DetectedThing:
    shape = classify_shape(track)
    if shape is None or track.unoccluded.sum() < MIN_UNOCCLUDED:
        return DetectedThing(colour, track, None, None, None, 0.0, None)
    surface = measure_surface(track, frames, colour, backdrop.time)
    half = half_width(track.median_area, shape)
    motion_type = classify_motion(track, shape, backdrop.ground, fps)
    if motion_type is None:
        ground = float("nan")
    elif motion_type in AIRBORNE_MOTIONS:
        ground = find_shadow(track, frames, segmentation, backdrop)
    else:
        ground = float(np.nanquantile(track.centre[:, 1], 0.98)) + half
    size = classify_size(half, ground, shape)
    return DetectedThing(
        colour, track, shape, surface.material if surface else None, size, half, motion_type
    )


def _match_requests(
    request: Description, colours: list[str], candidates: list[DetectedThing]
) -> list[DetectedThing]:
    """The found things in the order of the wishes: in each colour, so that they fit best."""
    cost = np.array(
        [
            [
                1000.0 * (thing.colour != colour) + _mismatch(thing, requested)
                for thing in candidates
            ]
            for requested, colour in zip(request.things, colours, strict=True)
        ]
    )
    _, order = linear_sum_assignment(cost)
    return [candidates[i] for i in order]


def _mismatch(thing: DetectedThing, requested: ThingRequest) -> float:
    return (
        2.0 * (thing.shape != requested.shape)
        + 1.0 * (thing.material != requested.material)
        + 0.9 * (thing.size != requested.size)
    )
