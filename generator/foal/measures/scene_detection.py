"""Scene detection: background, camera, and the object that matches each requested one."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

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
from generator.foal.measures.object_tracks import Track, track_objects
from generator.foal.measures.segmentation import (
    MIN_FRAME_SHARE,
    Region,
    Segmentation,
    count_objects,
    find_merged,
    find_regions,
    segment_colours,
)
from generator.foal.measures.working_frames import downsample
from generator.foal.world.assignment import assign
from generator.foal.world.prompts import Description, ObjectRequest
from generator.foal.world.scenes import Material, Shape, Size

MIN_FRAMES = 8
MIN_UNOCCLUDED = 6  # frames: with fewer, two objects may look like one
AIRBORNE_MOTIONS = (MotionType.SWING, MotionType.ORBIT, MotionType.AIR)


@dataclass(frozen=True)
class DetectedObject:
    """A detected object; attributes are None if they could not be determined."""

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
    """What was detected in a clip; `objects` are in the order of the requested objects."""

    backdrop: Backdrop
    counts: dict[str, int]  # number of detected objects of each colour
    objects: tuple[DetectedObject, ...]
    collided: tuple[bool | None, ...]  # whether an object hit another, None if unknown

    @property
    def paths(self) -> list[np.ndarray]:
        """Trajectories of the objects, (T, 2) each in world coordinates, NaN where occluded."""
        return [obj.track.centre for obj in self.objects]


def detect_scene(frames: np.ndarray, request: Description, *, fps: float) -> SceneDetection:
    """Detect the background and the requested objects in frames (T, H, W, 3), uint8.

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
    requested_counts = Counter(obj.colour for obj in request.objects)
    counts, merged = {}, {}
    for colour, shown in regions.items():
        count = count_objects(shown)
        if 0 < count < requested_counts[colour]:
            # Objects of one colour may overlap all the time: look for merged outlines.
            flags = find_merged(shown, segmentation, colour)
            if np.mean([any(frame) for frame in flags]) >= MIN_FRAME_SHARE:
                count, merged[colour] = count + 1, flags
        if count:
            counts[colour] = count
    colours = _search_colours(request, counts)
    candidates = []
    for colour, count in Counter(colours).items():
        no_regions: list[list[Region]] = [[] for _ in frames]
        tracks = track_objects(
            regions.get(colour, no_regions), count, segmentation, backdrop, merged.get(colour)
        )
        candidates += [
            _classify(track, colour, small, segmentation, backdrop, fps) for track in tracks
        ]
    objects = _match_requests(request, colours, candidates)
    collided = find_collisions([obj.track for obj in objects], [obj.half for obj in objects], fps)
    return SceneDetection(backdrop, counts, tuple(objects), tuple(collided))


def _search_colours(request: Description, counts: dict[str, int]) -> list[str]:
    """The colour in which to search for each requested object: its own, or a surplus one.

    So an object of the wrong colour lowers only the figure for colour.
    """
    remaining = dict(counts)
    chosen: list[str | None] = []
    for obj in request.objects:
        available = obj.colour is not None and remaining.get(obj.colour, 0) > 0
        chosen.append(obj.colour if available else None)
        if available:
            remaining[str(obj.colour)] -= 1
    spare = [colour for colour, count in remaining.items() for _ in range(count)]
    fallback = next(iter(counts), "red")
    return [
        colour or (spare.pop(0) if spare else obj.colour or fallback)
        for colour, obj in zip(chosen, request.objects, strict=True)
    ]


def _classify(
    track: Track,
    colour: str,
    frames: np.ndarray,
    segmentation: Segmentation,
    backdrop: Backdrop,
    fps: float,
) -> DetectedObject:
    shape = classify_shape(track)
    if shape is None or track.unoccluded.sum() < MIN_UNOCCLUDED:
        return DetectedObject(colour, track, None, None, None, 0.0, None)
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
    return DetectedObject(
        colour, track, shape, surface.material if surface else None, size, half, motion_type
    )


def _match_requests(
    request: Description, colours: list[str], candidates: list[DetectedObject]
) -> list[DetectedObject]:
    """Assign the candidates to the requested objects, within each colour by least mismatch."""
    cost = np.array(
        [
            [1000.0 * (obj.colour != colour) + _mismatch(obj, requested) for obj in candidates]
            for requested, colour in zip(request.objects, colours, strict=True)
        ]
    )
    return [candidates[i] for i in assign(cost).values()]


def _mismatch(obj: DetectedObject, requested: ObjectRequest) -> float:
    return (
        2.0 * (obj.shape != requested.shape)
        + 1.0 * (obj.material != requested.material)
        + 0.9 * (obj.size != requested.size)
    )
