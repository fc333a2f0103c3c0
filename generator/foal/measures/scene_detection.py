"""Scene detection: background, camera, and the thing that matches each requested one."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from generator.foal.assignment import assign
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
MIN_UNOCCLUDED = 6  # frames: with fewer, two things may look like one
AIRBORNE_MOTIONS = (MotionType.SWING, MotionType.ORBIT, MotionType.AIR)


@dataclass(frozen=True)
class DetectedThing:
    """A detected thing; attributes are None if they could not be determined."""

    colour: str
    track: Track
    shape: Shape | None
    material: Material | None
    size: Size | None
    half: float  # half its width, image heights
    motion_type: MotionType | None

    @property
    def is_present(self) -> bool:
        """Whether it was visible, or legitimately occluded, most of the time."""
        return bool(self.track.present.mean() >= 0.5)


@dataclass(frozen=True)
class SceneDetection:
    """What was detected in a clip; `things` are in the order of the requested things."""

    backdrop: Backdrop
    counts: dict[str, int]  # number of detected things of each colour
    things: tuple[DetectedThing, ...]
    collided: tuple[bool | None, ...]  # whether a thing hit another, None if unknown

    @property
    def paths(self) -> list[np.ndarray]:
        """Trajectories of the things, (T, 2) each in world coordinates, NaN where occluded."""
        return [thing.track.centre for thing in self.things]


def detect_scene(frames: np.ndarray, request: Description, *, fps: float) -> SceneDetection:
    """Detect the background and the requested things in frames (T, H, W, 3), uint8.

    Raises:
        ValueError: `frames` has the wrong shape or too few frames.
    """
    if frames.ndim != 4 or frames.shape[-1] != 3 or len(frames) < MIN_FRAMES:
        raise ValueError(
            f"a clip must have shape (T >= {MIN_FRAMES}, H, W, 3), not {frames.shape}."
        )
    small = downsample(frames)
    backdrop = fit_backdrop(small)
    segmentation = segment_colours(small, backdrop)
    regions = find_regions(segmentation)
    requested_counts = Counter(thing.colour for thing in request.things)
    counts, merged = {}, {}
    for colour, shown in regions.items():
        count = count_things(shown)
        if 0 < count < requested_counts[colour]:
            # Things of one colour may overlap all the time: look for merged outlines.
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
    """The colour in which to search for each requested thing: its own, or a surplus one.

    So a thing of the wrong colour lowers only the figure for colour.
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
    """Assign the candidates to the requested things, within each colour by least mismatch."""
    cost = np.array(
        [
            [
                1000.0 * (thing.colour != colour) + _mismatch(thing, requested)
                for thing in candidates
            ]
            for requested, colour in zip(request.things, colours, strict=True)
        ]
    )
    return [candidates[i] for i in assign(cost).values()]


def _mismatch(thing: DetectedThing, requested: ThingRequest) -> float:
    return (
        2.0 * (thing.shape != requested.shape)
        + 1.0 * (thing.material != requested.material)
        + 0.9 * (thing.size != requested.size)
    )
