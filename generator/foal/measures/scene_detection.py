"""What can be seen of a clip: its scene, and for each thing that a text asks for the one found."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from generator.foal.measures.appearance import (
    half_width,
    shadow_line,
    shape_of,
    size_of,
    surface_of,
)
from generator.foal.measures.camera import Backdrop, find_backdrop
from generator.foal.measures.motion_classification import Way, meets, way_of
from generator.foal.measures.object_tracks import Track, follow
from generator.foal.measures.tracking import (
    SEEN_SHARE,
    Labels,
    Piece,
    count_things,
    find_joined,
    find_pieces,
    label_colours,
    shrink,
)
from generator.foal.world.captions import Description, ThingWish
from generator.foal.world.scenes import Material, Shape, Size

FEWEST_FRAMES = 8
FEWEST_WHOLE = 6  # frames: what is whole in fewer may be two things that look like one
AIRBORNE = (Way.SWING, Way.ORBIT, Way.AIR)


@dataclass(frozen=True)
class Thing:
    """One thing as it was seen; None where it could not be told."""

    colour: str
    track: Track
    shape: Shape | None
    material: Material | None
    size: Size | None
    half: float  # half its width, picture heights
    way: Way | None

    @property
    def seen(self) -> bool:
        """Whether it could be seen, or was rightly hidden, most of the time."""
        return bool(self.track.there.mean() >= 0.5)


@dataclass(frozen=True)
class Sighting:
    """A clip as it was seen. `things` stand in the order of the wishes that they were found for."""

    backdrop: Backdrop
    counts: dict[str, int]  # how many things of each colour were seen
    things: tuple[Thing, ...]
    met: tuple[bool | None, ...]  # whether a thing hit another, None where that was hidden

    @property
    def paths(self) -> list[np.ndarray]:
        """(T, 2) each, in the world's coordinates, NaN where not whole."""
        return [thing.track.centre for thing in self.things]


def look(frames: np.ndarray, wish: Description, *, fps: float) -> Sighting:
    """Find the scene and the things that a text asks for in frames (T, H, W, 3), uint8.

    Raises:
        ValueError: frames that are no clip.
    """
    if frames.ndim != 4 or frames.shape[-1] != 3 or len(frames) < FEWEST_FRAMES:
        raise ValueError(f"a clip is (T >= {FEWEST_FRAMES}, H, W, 3) frames, not {frames.shape}.")
    small = shrink(frames)
    backdrop = find_backdrop(small)
    labels = label_colours(small, backdrop)
    pieces = find_pieces(labels)
    asked = Counter(thing.colour for thing in wish.things)
    counts, joined = {}, {}
    for colour, shown in pieces.items():
        count = count_things(shown)
        if 0 < count < asked[colour]:
            # Things of one colour may hide each other all the time: their outline tells.
            flags = find_joined(shown, labels, colour)
            if np.mean([any(frame) for frame in flags]) >= SEEN_SHARE:
                count, joined[colour] = count + 1, flags
        if count:
            counts[colour] = count
    colours = _colours(wish, counts)
    found = []
    for colour, count in Counter(colours).items():
        none: list[list[Piece]] = [[] for _ in frames]
        tracks = follow(pieces.get(colour, none), count, labels, backdrop, joined.get(colour))
        found += [_examine(track, colour, small, labels, backdrop, fps) for track in tracks]
    things = _assign(wish, colours, found)
    met = meets([thing.track for thing in things], [thing.half for thing in things], fps)
    return Sighting(backdrop, counts, tuple(things), tuple(met))


def _colours(wish: Description, counts: dict[str, int]) -> list[str]:
    """The colour in which to look for each thing: its own, else of one that nobody asked for.

    A thing in a wrong colour is a fault of colour only: it is there, and moves.
    """
    left = dict(counts)
    chosen: list[str | None] = []
    for thing in wish.things:
        right = thing.colour is not None and left.get(thing.colour, 0) > 0
        chosen.append(thing.colour if right else None)
        if right:
            left[str(thing.colour)] -= 1
    spare = [colour for colour, count in left.items() for _ in range(count)]
    some = next(iter(counts), "red")
    return [
        colour or (spare.pop(0) if spare else thing.colour or some)
        for colour, thing in zip(chosen, wish.things, strict=True)
    ]


def _examine(
    track: Track, colour: str, frames: np.ndarray, labels: Labels, backdrop: Backdrop, fps: float
) -> Thing:
    shape = shape_of(track)
    if shape is None or track.whole.sum() < FEWEST_WHOLE:
        return Thing(colour, track, None, None, None, 0.0, None)
    surface = surface_of(track, frames, colour, backdrop.time)
    half = half_width(track.usual_area, shape)
    way = way_of(track, shape, backdrop.ground, fps)
    if way is None:
        ground = float("nan")
    elif way in AIRBORNE:
        ground = shadow_line(track, frames, labels, backdrop)
    else:
        ground = float(np.nanquantile(track.centre[:, 1], 0.98)) + half
    size = size_of(half, ground, shape)
    return Thing(colour, track, shape, surface.material if surface else None, size, half, way)


def _assign(wish: Description, colours: list[str], found: list[Thing]) -> list[Thing]:
    """The found things in the order of the wishes: in each colour, so that they fit best."""
    cost = np.array(
        [
            [1000.0 * (thing.colour != colour) + _unlike(thing, wanted) for thing in found]
            for wanted, colour in zip(wish.things, colours, strict=True)
        ]
    )
    _, order = linear_sum_assignment(cost)
    return [found[i] for i in order]


def _unlike(thing: Thing, wanted: ThingWish) -> float:
    return (
        2.0 * (thing.shape != wanted.shape)
        + 1.0 * (thing.material != wanted.material)
        + 0.9 * (thing.size != wanted.size)
    )
