"""Multi-object tracking of the objects of one colour, with occlusion, merging and splitting."""

import math
from dataclasses import dataclass, field

import numpy as np

from generator.foal.measures.camera import Backdrop
from generator.foal.measures.segmentation import MIN_AREA, Region, Segmentation, measure_region
from generator.foal.world.assignment import assign
from generator.foal.world.render import to_world

UNOCCLUDED_AREA = 0.93  # of the typical area: a smaller region is partly occluded
TOUCHING_AREA = 0.93  # of the combined area of two objects; if smaller, one occludes the other
MERGED_AREA = 1.15  # of one object's area: a larger region may contain a lost object
MIN_COVER = 0.4  # fraction of the predicted disc covered by others if an object is occluded
VELOCITY_DECAY = 0.8  # per frame, of the velocity by which a lost object is predicted
APPEARANCE_COST = 0.15  # image heights, of a completely different area or outline


@dataclass(frozen=True)
class Track:
    """One object over T frames; positions are in world coordinates."""

    centre: np.ndarray  # (T, 2), NaN where it was occluded
    area: np.ndarray  # (T,), of the visible region, corrected for the zoom
    present: np.ndarray  # (T,) bool: visible, or occluded by another object, or out of view
    regions: tuple[Region | None, ...]  # None where it was occluded

    @property
    def unoccluded(self) -> np.ndarray:
        """Whether it was fully visible, (T,) bool."""
        return np.asarray(np.isfinite(self.centre[:, 0]))

    @property
    def median_area(self) -> float:
        """Area of the unoccluded object, 0 if never seen."""
        return float(np.median(self.area[self.unoccluded])) if self.unoccluded.any() else 0.0

    @property
    def harmonic(self) -> float:
        """Fourth harmonic of its outline, NaN if never unoccluded."""
        result = [region.harmonic for region in self.regions if region]
        return float(np.median(result)) if result else float("nan")


@dataclass
class _TrackState:
    regions: list[Region | None]
    merged: np.ndarray  # (T,) bool: visible, but merged with another object into one region
    position: np.ndarray = field(default_factory=lambda: np.zeros(2))
    velocity: np.ndarray = field(default_factory=lambda: np.zeros(2))
    areas: list[float] = field(default_factory=list)
    harmonic: float = 0.0
    frames_lost: int = 0

    def predict(self) -> np.ndarray:
        """Predicted position in the next frame, with decaying velocity while it is lost."""
        decay = (1 - VELOCITY_DECAY ** (self.frames_lost + 1)) / (1 - VELOCITY_DECAY)
        return np.asarray(self.position + self.velocity * decay)

    @property
    def typical_area(self) -> float:
        return float(np.median(self.areas[-24:]))

    def update(self, frame: int, region: Region) -> None:
        displacement = (np.array(region.centre) - self.position) / (self.frames_lost + 1)
        self.velocity = displacement if self.areas else np.zeros(2)
        self.position, self.frames_lost, self.harmonic = np.array(region.centre), 0, region.harmonic
        self.areas.append(region.area)
        self.regions[frame] = region

    def match_cost(self, region: Region) -> float:
        """Cost of a region: distance from the prediction, and difference in area and outline."""
        distance = float(np.hypot(*(self.predict() - region.centre)))
        if not self.areas:
            return distance
        area_change = abs(math.log(region.area / self.typical_area))
        difference = area_change + abs(region.harmonic - self.harmonic)
        return distance + APPEARANCE_COST * min(difference, 1.0)


def track_objects(
    regions: list[list[Region]],
    count: int,
    segmentation: Segmentation,
    backdrop: Backdrop,
    merged_flags: list[list[bool]] | None = None,
) -> list[Track]:
    """Track `count` objects of one colour; an object that was never seen has an empty track.

    Args:
        regions: of that colour in each frame.
        count: number of objects.
        segmentation: of the clip.
        backdrop: of the clip.
        merged_flags: for each region, whether it shows all objects without a region of their own.
    """
    frames = len(regions)
    states = [_TrackState([None] * frames, np.zeros(frames, dtype=bool)) for _ in range(count)]
    if merged_flags is not None:
        for frame, flags in enumerate(merged_flags):
            if any(flags) and len(flags) < count:
                for state in states:
                    state.merged[frame] = True
        regions = [
            [
                region
                for region, is_merged in zip(shown, flags, strict=True)
                if not is_merged or len(shown) >= count
            ]
            for shown, flags in zip(regions, merged_flags, strict=True)
        ]
    sizes = [sorted((region.area for region in frame), reverse=True) for frame in regions]
    max_visible = max(min(len(frame), count) for frame in sizes)
    if max_visible:
        # Start from the frame that shows all of them best, and track in both directions.
        clear = [frame[max_visible - 1] if len(frame) >= max_visible else 0.0 for frame in sizes]
        start = int(np.argmax(clear))
        for state, region in zip(states, regions[start], strict=False):
            state.update(start, region)
        visible = states[:max_visible]
        seeds = [(state.position, list(state.areas), state.harmonic) for state in visible]
        for order in (range(start + 1, frames), range(start - 1, -1, -1)):
            for state, (position, areas, harmonic) in zip(visible, seeds, strict=True):
                state.position, state.areas, state.harmonic = position, list(areas), harmonic
                state.velocity, state.frames_lost = np.zeros(2), 0
            for frame in order:
                _track_frame(visible, frame, regions[frame], segmentation)
    if merged_flags is not None:
        for state in states:
            if not state.areas:  # always merged with others
                state.merged[:] = [bool(flags) for flags in merged_flags]
    return [_finish_track(state, segmentation, backdrop) for state in states]


def _track_frame(
    states: list[_TrackState], frame: int, regions: list[Region], segmentation: Segmentation
) -> None:
    shape = segmentation.colour.shape[1:]
    cost = np.array([[state.match_cost(region) for region in regions] for state in states])
    assigned = assign(cost)
    for i, state in enumerate(states):
        if i in assigned:
            continue
        # An object without a region may be merged into one: split it if both are visible.
        for partner, column in list(assigned.items()):
            joint = regions[column]
            larger = joint.area > MERGED_AREA * states[partner].typical_area
            if not larger and not joint.contains(state.predict(), *shape):
                continue
            combined_area = state.typical_area + states[partner].typical_area
            if joint.area > TOUCHING_AREA * combined_area:
                for which, part in zip(
                    (i, partner),
                    _split(joint, (state, states[partner]), frame, segmentation),
                    strict=True,
                ):
                    states[which].update(frame, part)
                del assigned[partner]
            else:
                state.merged[frame] = states[partner].merged[frame] = True
            break
        if state.regions[frame] is None:
            state.frames_lost += 1
    for i, column in assigned.items():
        if states[i].merged[frame]:
            states[i].frames_lost += 1
        else:
            states[i].update(frame, regions[column])


def _split(
    joint: Region, states: tuple[_TrackState, _TrackState], frame: int, segmentation: Segmentation
) -> tuple[Region, Region]:
    """Split the region of two touching objects: each pixel belongs to the nearer one."""
    height, width = segmentation.colour.shape[1:]
    y, x = np.nonzero(joint.mask)
    at = np.stack([x + joint.columns.start + 0.5, y + joint.rows.start + 0.5], axis=1)
    offset = np.array([(width - height) / 2, 0.0])
    centres = [state.predict() * height + offset for state in states]
    areas = [state.typical_area for state in states]
    is_first = np.zeros(len(at), dtype=bool)
    for _ in range(5):
        # With the power distance the border of two touching discs lies at their contact.
        power_distance = [
            ((at - centre) ** 2).sum(axis=1) - area * height**2 / np.pi
            for centre, area in zip(centres, areas, strict=True)
        ]
        is_first = power_distance[0] < power_distance[1]
        if is_first.all() or not is_first.any():
            break
        centres = [at[is_first].mean(axis=0), at[~is_first].mean(axis=0)]
    box = (joint.rows, joint.columns)
    strength = segmentation.strength[frame, box[0], box[1]]
    parts = []
    for part in (is_first, ~is_first):
        mask = np.zeros_like(joint.mask)
        mask[y[part], x[part]] = True
        other = joint.mask & ~mask
        parts.append(
            measure_region(mask, strength, ~other, box, (height, width)) if part.any() else joint
        )
    return parts[0], parts[1]


def _finish_track(state: _TrackState, segmentation: Segmentation, backdrop: Backdrop) -> Track:
    frames = len(state.regions)
    zoom = np.exp(backdrop.view[:, 1])
    detected = np.array([region is not None for region in state.regions])
    area, position = np.zeros(frames), np.full((frames, 2), np.nan)
    for i in np.flatnonzero(detected):
        region = state.regions[i]
        assert region is not None  # noqa: S101 - `detected` says so
        area[i], position[i] = region.area / zoom[i] ** 2, region.centre
    typical_area = float(np.quantile(area[detected], 0.75)) if detected.any() else 0.0
    unoccluded = (
        detected
        & (area > max(UNOCCLUDED_AREA * typical_area, MIN_AREA))
        & (area < typical_area / UNOCCLUDED_AREA)
    )
    present = detected | state.merged
    if detected.any():
        present[~present] = _is_occluded_or_outside(
            position, detected, np.flatnonzero(~present), typical_area, zoom, segmentation
        )
    world = to_world(position[:, None], backdrop.view)[:, 0].astype(np.float64)
    world[~unoccluded] = np.nan
    regions = tuple(
        region if ok else None for region, ok in zip(state.regions, unoccluded, strict=True)
    )
    return Track(world, area, present, regions)


def _is_occluded_or_outside(
    position: np.ndarray,
    detected: np.ndarray,
    missing: np.ndarray,
    area: float,
    zoom: np.ndarray,
    segmentation: Segmentation,
) -> np.ndarray:
    """Whether an object is occluded or out of view in each of the `missing` frames."""
    height, width = segmentation.colour.shape[1:]
    at = np.flatnonzero(detected)
    x, y = (np.interp(missing, at, position[at, axis]) for axis in (0, 1))
    radius = np.sqrt(area / np.pi) * zoom[missing] * height
    rows, columns = np.mgrid[:height, :width]
    result = np.zeros(len(missing), dtype=bool)
    for i, frame in enumerate(missing):
        column, row = (x[i] - 0.5) * height + width / 2, y[i] * height
        disc = (rows + 0.5 - row) ** 2 + (columns + 0.5 - column) ** 2 < (0.7 * radius[i]) ** 2
        inside = 0 <= column < width and 0 <= row < height
        covered = float((segmentation.colour[frame][disc] >= 0).mean()) if disc.any() else 1.0
        result[i] = not inside or covered > MIN_COVER
    return result
