"""Follow things of one colour through a clip: which piece is which thing's, and what hides it."""

import math
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from generator.foal.measures.camera import Backdrop
from generator.foal.measures.tracking import LEAST_AREA, Labels, Piece, describe_piece
from generator.foal.world.render import to_world

WHOLE = 0.93  # of its usual area: less of it is hidden, its centre and outline unknown
TOUCHING = 0.93  # of their areas together: less, and one thing is before the other
SWOLLEN = 1.15  # of one thing's area: more, and a lost thing of its colour is part of it
COVERED = 0.4  # of the place where a thing must be: more is another thing, and hides it
FADE = 0.8  # a frame, by which a lost thing's speed is trusted less
UNLIKE = 0.15  # picture heights that a wholly different area or outline is worth


@dataclass(frozen=True)
class Track:
    """One thing over T frames, its places in the world's coordinates."""

    centre: np.ndarray  # (T, 2), NaN where it was not whole
    area: np.ndarray  # (T,), of a piece seen, as if the camera were not nearer
    there: np.ndarray  # (T,) bool: seen, or hidden by another thing, or out of sight
    pieces: tuple[Piece | None, ...]  # where it was whole

    @property
    def whole(self) -> np.ndarray:
        """(T,) bool."""
        return np.asarray(np.isfinite(self.centre[:, 0]))

    @property
    def usual_area(self) -> float:
        """Of the whole thing, 0 where it was never seen."""
        return float(np.median(self.area[self.whole])) if self.whole.any() else 0.0

    @property
    def harmonic(self) -> float:
        """Of its outline, NaN where it was never whole."""
        found = [piece.harmonic for piece in self.pieces if piece]
        return float(np.median(found)) if found else float("nan")


@dataclass
class _Lane:
    pieces: list[Piece | None]
    merged: np.ndarray  # (T,) bool: seen, but as one piece with another of its colour
    place: np.ndarray = field(default_factory=lambda: np.zeros(2))
    speed: np.ndarray = field(default_factory=lambda: np.zeros(2))
    areas: list[float] = field(default_factory=list)
    harmonic: float = 0.0
    lost: int = 0

    def expected(self) -> np.ndarray:
        """Where it should be a frame after it was last seen, or several."""
        trusted = (1 - FADE ** (self.lost + 1)) / (1 - FADE)
        return np.asarray(self.place + self.speed * trusted)

    @property
    def usual(self) -> float:
        return float(np.median(self.areas[-24:]))

    def take(self, frame: int, piece: Piece) -> None:
        moved = (np.array(piece.centre) - self.place) / (self.lost + 1)
        self.speed = moved if self.areas else np.zeros(2)
        self.place, self.lost, self.harmonic = np.array(piece.centre), 0, piece.harmonic
        self.areas.append(piece.area)
        self.pieces[frame] = piece

    def unlike(self, piece: Piece) -> float:
        """How badly a piece fits: the way from where it should be, and another size or outline."""
        way = float(np.hypot(*(self.expected() - piece.centre)))
        if not self.areas:
            return way
        other = abs(math.log(piece.area / self.usual)) + abs(piece.harmonic - self.harmonic)
        return way + UNLIKE * min(other, 1.0)


def follow(
    pieces: list[list[Piece]],
    count: int,
    labels: Labels,
    backdrop: Backdrop,
    joined: list[list[bool]] | None = None,
) -> list[Track]:
    """Tracks of `count` things of one colour; one that was never seen has an empty track.

    Pieces that are `joined` are no single thing's, and show all things that have no other piece.
    """
    frames = len(pieces)
    lanes = [_Lane([None] * frames, np.zeros(frames, dtype=bool)) for _ in range(count)]
    if joined is not None:
        for frame, flags in enumerate(joined):
            if any(flags) and len(flags) < count:
                for lane in lanes:
                    lane.merged[frame] = True
        pieces = [
            [piece for piece, both in zip(*one, strict=True) if not both or len(one[0]) >= count]
            for one in zip(pieces, joined, strict=True)
        ]
    sizes = [sorted((piece.area for piece in frame), reverse=True) for frame in pieces]
    most = max(min(len(frame), count) for frame in sizes)
    if most:
        # From the frame that shows them best, both ways.
        clear = [frame[most - 1] if len(frame) >= most else 0.0 for frame in sizes]
        start = int(np.argmax(clear))
        for lane, piece in zip(lanes, pieces[start], strict=False):
            lane.take(start, piece)
        known = lanes[:most]
        seeds = [(lane.place, list(lane.areas), lane.harmonic) for lane in known]
        for order in (range(start + 1, frames), range(start - 1, -1, -1)):
            for lane, (place, areas, harmonic) in zip(known, seeds, strict=True):
                lane.place, lane.areas, lane.harmonic = place, list(areas), harmonic
                lane.speed, lane.lost = np.zeros(2), 0
            for frame in order:
                _step(known, frame, pieces[frame], labels)
    if joined is not None:
        for lane in lanes:
            if not lane.areas:  # always part of what shows the others
                lane.merged[:] = [bool(flags) for flags in joined]
    return [_as_track(lane, labels, backdrop) for lane in lanes]


def _step(lanes: list[_Lane], frame: int, pieces: list[Piece], labels: Labels) -> None:
    shape = labels.colour.shape[1:]
    cost = np.array([[lane.unlike(piece) for piece in pieces] for lane in lanes])
    rows, columns = linear_sum_assignment(cost) if pieces else ([], [])
    taken = dict(zip(rows, columns, strict=True))
    for i, lane in enumerate(lanes):
        if i in taken:
            continue
        # A thing without a piece may be part of one: split it where both are seen side by side.
        for mate, column in list(taken.items()):
            whole = pieces[column]
            larger = whole.area > SWOLLEN * lanes[mate].usual
            if not larger and not whole.holds(lane.expected(), *shape):
                continue
            together = lane.usual + lanes[mate].usual
            if whole.area > TOUCHING * together:
                for which, part in zip(
                    (i, mate), _split(whole, (lane, lanes[mate]), frame, labels), strict=True
                ):
                    lanes[which].take(frame, part)
                del taken[mate]
            else:
                lane.merged[frame] = lanes[mate].merged[frame] = True
            break
        if lane.pieces[frame] is None:
            lane.lost += 1
    for i, column in taken.items():
        if lanes[i].merged[frame]:
            lanes[i].lost += 1
        else:
            lanes[i].take(frame, pieces[column])


def _split(
    whole: Piece, lanes: tuple[_Lane, _Lane], frame: int, labels: Labels
) -> tuple[Piece, Piece]:
    """Two things that touch, as two pieces: each pixel to the centre that is relatively nearer."""
    height, width = labels.colour.shape[1:]
    y, x = np.nonzero(whole.mask)
    at = np.stack([x + whole.columns.start + 0.5, y + whole.rows.start + 0.5], axis=1)
    offset = np.array([(width - height) / 2, 0.0])
    centres = [lane.expected() * height + offset for lane in lanes]
    areas = [lane.usual for lane in lanes]
    mine = np.zeros(len(at), dtype=bool)
    for _ in range(5):
        # Power distance: the border of two discs that touch runs between them whatever their sizes.
        far = [
            ((at - centre) ** 2).sum(axis=1) - area * height**2 / np.pi
            for centre, area in zip(centres, areas, strict=True)
        ]
        mine = far[0] < far[1]
        if mine.all() or not mine.any():
            break
        centres = [at[mine].mean(axis=0), at[~mine].mean(axis=0)]
    box = (whole.rows, whole.columns)
    strength = labels.strength[frame, box[0], box[1]]
    parts = []
    for part in (mine, ~mine):
        mask = np.zeros_like(whole.mask)
        mask[y[part], x[part]] = True
        other = whole.mask & ~mask
        parts.append(
            describe_piece(mask, strength, ~other, box, (height, width)) if part.any() else whole
        )
    return parts[0], parts[1]


def _as_track(lane: _Lane, labels: Labels, backdrop: Backdrop) -> Track:
    frames = len(lane.pieces)
    zoom = np.exp(backdrop.view[:, 1])
    seen = np.array([piece is not None for piece in lane.pieces])
    area, place = np.zeros(frames), np.full((frames, 2), np.nan)
    for i in np.flatnonzero(seen):
        piece = lane.pieces[i]
        assert piece is not None  # noqa: S101 - `seen` says so
        area[i], place[i] = piece.area / zoom[i] ** 2, piece.centre
    usual = float(np.quantile(area[seen], 0.75)) if seen.any() else 0.0
    whole = seen & (area > max(WHOLE * usual, LEAST_AREA)) & (area < usual / WHOLE)
    there = seen | lane.merged
    if seen.any():
        there[~there] = _excused(place, seen, np.flatnonzero(~there), usual, zoom, labels)
    world = to_world(place[:, None], backdrop.view)[:, 0].astype(np.float64)
    world[~whole] = np.nan
    pieces = tuple(piece if ok else None for piece, ok in zip(lane.pieces, whole, strict=True))
    return Track(world, area, there, pieces)


def _excused(
    place: np.ndarray,
    seen: np.ndarray,
    missing: np.ndarray,
    area: float,
    zoom: np.ndarray,
    labels: Labels,
) -> np.ndarray:
    """Whether a thing that is not seen in the `missing` frames is hidden or out of sight there."""
    height, width = labels.colour.shape[1:]
    at = np.flatnonzero(seen)
    x, y = (np.interp(missing, at, place[at, axis]) for axis in (0, 1))
    radius = np.sqrt(area / np.pi) * zoom[missing] * height
    rows, columns = np.mgrid[:height, :width]
    found = np.zeros(len(missing), dtype=bool)
    for i, frame in enumerate(missing):
        column, row = (x[i] - 0.5) * height + width / 2, y[i] * height
        disc = (rows + 0.5 - row) ** 2 + (columns + 0.5 - column) ** 2 < (0.7 * radius[i]) ** 2
        inside = 0 <= column < width and 0 <= row < height
        covered = float((labels.colour[frame][disc] >= 0).mean()) if disc.any() else 1.0
        found[i] = not inside or covered > COVERED
    return found
