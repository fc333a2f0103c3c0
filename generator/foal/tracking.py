"""Find a clip's things in its pixels: by colour against the known empty scene, frame by frame."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image
from scipy import ndimage

from generator.foal.physics import BALL_RADIUS
from generator.foal.render import HORIZON, NIGHT_THING, background
from generator.foal.scenes import COLOURS, Ground, Time

WORKING_PIXELS = 128  # a thing is then 24 pixels wide: enough for its outline, quick to search
NOMINAL_AREA = np.pi * BALL_RADIUS**2  # of the picture
CHROMA_REACH = 0.13  # farther from all colours' chromaticities, a pixel is no thing
STAND_OUT = 0.045  # least difference from any darkening of the background
LEAST_AREA = 0.40  # of the nominal: less of a thing is not present
WHOLE_AREA = 0.80  # of its usual area: less of it is hidden, its centre and outline unknown
SQUARE_HARMONIC = 0.20  # fourth harmonic of an outline: 0 for a disc, .43 for a square


@dataclass(frozen=True)
class Track:
    """One thing over T frames; places in picture heights, NaN where it was not whole."""

    centre: np.ndarray  # (T, 2)
    area: np.ndarray  # (T,), share of the picture
    harmonic: float  # of its outline, NaN where it was never whole

    @property
    def looks_square(self) -> bool:
        return bool(self.harmonic > SQUARE_HARMONIC)


def shrink(frames: np.ndarray) -> np.ndarray:
    """Frames (T, H, W, 3) uint8 -> (T, 128, w, 3) float32 in [0, 1]."""
    height, width = frames.shape[1:3]
    size = (round(width * WORKING_PIXELS / height), WORKING_PIXELS)
    if (height, width) == (2 * size[1], 2 * size[0]):
        halves = frames.reshape(len(frames), size[1], 2, size[0], 2, 3)
        return np.asarray(halves.mean(axis=(2, 4), dtype=np.float32) / 255)
    small = [Image.fromarray(frame).resize(size, Image.Resampling.BOX) for frame in frames]
    return np.stack([np.asarray(picture, dtype=np.float32) for picture in small]) / 255


def find_scene(frames: np.ndarray) -> tuple[Ground, Time]:
    """The empty scene nearest to a clip's still part; frames as `shrink` gives them."""
    still = np.median(frames[::4], axis=0)
    height, width = still.shape[:2]
    horizon = int(HORIZON * height)
    best: tuple[float, Ground, Time] | None = None
    for time in Time:
        for ground in Ground:
            off = np.abs(still - background(ground, time, height, width)).mean(axis=(1, 2))
            distance = float(off[:horizon].mean() + off[horizon:].mean())
            if best is None or distance < best[0]:
                best = (distance, ground, time)
    assert best is not None  # noqa: S101 - there are six scenes
    return best[1], best[2]


@dataclass(frozen=True)
class Labels:
    """What each pixel of T frames belongs to."""

    colour: np.ndarray  # (T, H, W) int8, an index into COLOURS, -1 for no thing
    strength: np.ndarray  # (T, H, W), difference from the empty scene, shadows left out


def label_colours(frames: np.ndarray, ground: Ground, time: Time) -> Labels:
    """Tell things from the empty scene, and their colours apart; frames from `shrink`."""
    empty = background(ground, time, *frames.shape[1:3])
    # A shadow darkens all channels alike: what is left after the best darkening is a thing's.
    power = (empty**2).sum(axis=-1)
    dimming = np.minimum((frames * empty).sum(axis=-1) / power, 1.0)
    left = np.abs(frames - dimming[..., None] * empty).max(axis=-1)
    chroma = frames / (frames.sum(axis=-1, keepdims=True) + 0.02)
    palette = _palette(time)
    # |c - p|^2 without a (T, H, W, colours, 3) temporary.
    distance = (chroma**2).sum(axis=-1)[..., None] - 2 * chroma @ palette.T + (palette**2).sum(1)
    nearest = distance.argmin(axis=-1)
    close = np.take_along_axis(distance, nearest[..., None], axis=-1)[..., 0] < CHROMA_REACH**2
    return Labels(np.where(close & (left > STAND_OUT), nearest, -1).astype(np.int8), left)


@lru_cache(maxsize=2)
def _palette(time: Time) -> np.ndarray:
    light = np.float32(1.0) if time == Time.DAY else np.asarray(NIGHT_THING, dtype=np.float32)
    colours = np.asarray(list(COLOURS.values()), dtype=np.float32) * light
    return np.asarray(colours / (colours.sum(axis=1, keepdims=True) + 0.02), dtype=np.float32)


def visible_colours(labels: Labels) -> list[str]:
    """Colours of things seen in at least half of the frames, the largest first."""
    names = list(COLOURS)
    areas = np.stack([(labels.colour == i).mean(axis=(1, 2)) for i in range(len(names))])
    seen = (areas > LEAST_AREA * NOMINAL_AREA).mean(axis=1) >= 0.5
    order = np.argsort(-areas.mean(axis=1))
    return [names[i] for i in order if seen[i]]


def follow(labels: Labels, colour: str, count: int) -> list[Track]:
    """Tracks of the `count` largest pieces of a colour, each going on with its nearest piece."""
    index = list(COLOURS).index(colour)
    found = [
        _pieces(frame == index, strength, count)
        for frame, strength in zip(labels.colour, labels.strength, strict=True)
    ]
    lanes = _link(found, count)
    tracks = []
    for lane in lanes:
        area = np.array([piece.area if piece else 0.0 for piece in lane])
        usual = float(np.median(area[area > 0])) if (area > 0).any() else 0.0
        whole = area > max(WHOLE_AREA * usual, LEAST_AREA * NOMINAL_AREA)
        whole &= area < usual / WHOLE_AREA  # two things of one colour that touch are one piece
        centre = np.full((len(lane), 2), np.nan)
        harmonics = []
        for i, piece in enumerate(lane):
            if piece and whole[i]:
                centre[i] = piece.centre
                harmonics.append(piece.harmonic)
        harmonic = float(np.median(harmonics)) if harmonics else float("nan")
        tracks.append(Track(centre=centre, area=area, harmonic=harmonic))
    return tracks


@dataclass(frozen=True)
class _Piece:
    centre: tuple[float, float]
    area: float
    harmonic: float


def _link(found: list[list[_Piece]], count: int) -> list[list[_Piece | None]]:
    """Lanes of pieces over time: every piece goes to the lane that was last seen nearest to it."""
    lanes: list[list[_Piece | None]] = [[] for _ in range(count)]
    last: list[_Piece | None] = [None] * count
    for pieces in found:
        free = list(range(count))
        chosen: dict[int, _Piece] = {}
        for piece in sorted(pieces, key=lambda one: -one.area):
            lane = min(free, key=lambda i: _distance(last[i], piece))
            free.remove(lane)
            chosen[lane] = piece
        for i in range(count):
            lanes[i].append(chosen.get(i))
            last[i] = chosen.get(i, last[i])
    return lanes


def _distance(one: _Piece | None, other: _Piece) -> float:
    # A lane that nothing was seen in yet takes what no other lane is near to.
    if one is None:
        return BALL_RADIUS
    return float(np.hypot(one.centre[0] - other.centre[0], one.centre[1] - other.centre[1]))


def _pieces(mask: np.ndarray, strength: np.ndarray, count: int) -> list[_Piece]:
    height, width = mask.shape
    numbered, found = ndimage.label(mask)
    if not found:
        return []
    areas = np.bincount(numbered.ravel())[1:]
    boxes = ndimage.find_objects(numbered)
    pieces = []
    for which in np.argsort(-areas)[:count]:
        if areas[which] < LEAST_AREA * NOMINAL_AREA * height * width / 2:
            continue
        rows, columns = (slice(max(0, part.start - 1), part.stop + 1) for part in boxes[which])
        # A highlight is a hole of another colour.
        piece = ndimage.binary_fill_holes(numbered[rows, columns] == which + 1)
        y, x = np.nonzero(piece)
        turn = (x - x.mean() + 1j * (y - y.mean())) ** 4
        harmonic = abs(turn.sum()) / max(float(np.abs(turn).sum()), 1e-9)
        # Edge pixels count by how far they are covered: a centre finer than a pixel.
        edge = ndimage.binary_dilation(piece)
        part = strength[rows, columns]
        weight = np.clip(part / np.median(part[piece]), 0, 1) * edge
        y, x = np.nonzero(edge)
        cx, cy = (float(np.average(at, weights=weight[edge])) for at in (x, y))
        centre = (
            (columns.start + cx + 0.5 - width / 2) / height + 0.5,
            (rows.start + cy + 0.5) / height,
        )
        pieces.append(_Piece(centre, int(piece.sum()) / (height * width), float(harmonic)))
    return pieces
