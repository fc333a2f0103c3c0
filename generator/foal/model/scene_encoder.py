"""The codec's encoder: reads off a picture what it shows and where, each thing by itself.

A convolutional network says for every cell of a picture whether a thing's centre lies in it, and
what it is; pictures of one clip are put together by following things from frame to frame.
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn
from torch.nn import functional

from generator.foal.model import states

PIXELS = 128  # height and width of what it looks at
FOLD = 4  # pixels folded into channels: 32 x 32 cells
CELLS = PIXELS // FOLD
DILATIONS = (1, 2, 4, 8, 1)  # a thing's shadow and rope may be far away
# Of a cell: is a centre here; where in it; the slot's code but for THERE; twice the angle's turn.
HEAT, OFFSET, CODE = 0, slice(1, 3), slice(3, 2 + states.SLOT_CODE)
TURN = slice(2 + states.SLOT_CODE, 4 + states.SLOT_CODE)
OUTPUTS = TURN.stop
LEAST_HEAT = 0.4
AT_ONCE = 16  # pictures
FAR_APART = 0.35  # picture heights a frame: farther, it is another thing
OTHER_LOOK = 0.25  # picture heights that a whole difference of looks counts as


@dataclass(frozen=True)
class Reading:
    """What the network says of N pictures."""

    cells: Tensor  # (N, OUTPUTS, CELLS, CELLS), heat as a logit
    scene: Tensor  # (N, SCENE_CODE)
    view: Tensor  # (N, 2): pan and zoom, as in a motion code


class Reader(nn.Module):
    """The network: cells of 4 pixels, looked at from near and from far."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3 * FOLD * FOLD, width, 3, padding=1)
        self.place = nn.Parameter(0.02 * torch.randn(width, CELLS, CELLS))
        self.blocks = nn.ModuleList(
            nn.Conv2d(width, width, 3, padding=d, dilation=d) for d in DILATIONS
        )
        self.heads = nn.Sequential(
            nn.Conv2d(width, width, 1), nn.SiLU(), nn.Conv2d(width, OUTPUTS, 1)
        )
        self.thin = nn.Conv2d(width, 16, 4, stride=4)
        self.whole = nn.Sequential(
            nn.Linear(16 * (CELLS // 4) ** 2, width),
            nn.SiLU(),
            nn.Linear(width, states.SCENE_CODE + 2),
        )

    def forward(self, pictures: Tensor) -> Reading:
        """Pictures (N, 3, PIXELS, PIXELS) in [0, 1]."""
        folded = functional.pixel_unshuffle(pictures - 0.5, FOLD)
        x = self.stem(folded.contiguous(memory_format=torch.channels_last)) + self.place
        for block in self.blocks:
            x = x + block(functional.silu(x))
        x = functional.silu(x)
        whole = self.whole(functional.silu(self.thin(x)).flatten(1)).float()
        return Reading(self.heads(x).float(), whole[:, :-2], whole[:, -2:])


def cell_centres(like: Tensor) -> Tensor:
    """Middle of every cell in picture heights, (2, CELLS, CELLS)."""
    at = (torch.arange(CELLS, device=like.device) + 0.5) / CELLS
    return torch.stack(torch.meshgrid(at, at, indexing="xy"))


@torch.no_grad()
def read_clip(reader: Reader, pictures: Tensor) -> states.States:
    """Codes of one clip, pictures (F, 3, PIXELS, PIXELS): its things followed over the frames."""
    readings = [reader(part) for part in torch.split(pictures, AT_ONCE)]
    cells = torch.cat([reading.cells for reading in readings])
    scene = torch.cat([reading.scene for reading in readings]).median(dim=0).values
    view = torch.cat([reading.view for reading in readings]).cpu().numpy()
    lanes = _follow([_find(frame) for frame in cells])
    content = np.zeros((states.CONTENT_PARTS, states.PART_CODE), dtype=np.float32)
    ground = np.eye(states.SCENE_CODE - 1, dtype=np.float32)[int(scene[:-1].argmax())]
    content[0, : states.SCENE_CODE] = [*ground, 1 if scene[-1] > 0 else -1]
    motion = np.zeros((len(cells), states.SLOTS, states.SLOT_MOTION), dtype=np.float32)
    for slot, lane in enumerate(lanes):
        content[1 + slot], motion[:, slot] = lane.codes(view)
    flat = np.concatenate([motion.reshape(len(motion), -1), view], axis=1)
    return states.States(content, flat.astype(np.float32))


@dataclass(frozen=True)
class _Found:
    place: np.ndarray  # (2,), in the picture
    code: np.ndarray  # (SLOT_CODE - 1,)
    turn: np.ndarray  # (2,)


def _find(cells: Tensor) -> list[_Found]:
    """The things of one picture: cells hotter than all around them."""
    heat = torch.sigmoid(cells[HEAT])
    around = functional.max_pool2d(heat[None], 3, stride=1, padding=1)[0]
    peaks = torch.where(heat == around, heat, torch.zeros_like(heat)).flatten()
    best = peaks.topk(states.SLOTS)
    found = []
    for value, at in zip(best.values.tolist(), best.indices.tolist(), strict=True):
        if value < LEAST_HEAT:
            break
        cell = cells.flatten(1)[:, at]
        place = cell_centres(cells).flatten(1)[:, at] + cell[OFFSET] / CELLS
        found.append(
            _Found(place.cpu().numpy(), cell[CODE].cpu().numpy(), cell[TURN].cpu().numpy())
        )
    return found


class _Lane:
    """One thing over F frames, None where it was not seen."""

    def __init__(self, frames: int) -> None:
        self.found: list[_Found | None] = [None] * frames
        self.last: _Found | None = None

    def add(self, frame: int, one: _Found) -> None:
        self.found[frame] = self.last = one

    @property
    def seen(self) -> int:
        return sum(one is not None for one in self.found)

    def codes(self, view: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Its slot's code, and its places and turns (F, SLOT_MOTION) in the world."""
        frames = [i for i, one in enumerate(self.found) if one is not None]
        seen = [one for one in self.found if one is not None]
        code = np.concatenate([[1.0], np.median([one.code for one in seen], axis=0)])
        every = np.arange(len(self.found))
        place = np.stack([one.place for one in seen])
        turn = np.unwrap(np.arctan2(*np.stack([one.turn for one in seen])[:, ::-1].T)) / 4
        at = np.stack([np.interp(every, frames, part) for part in place.T], axis=1)
        angle = np.interp(every, frames, turn)
        world = states.from_picture(at, view)
        if code[states.SHAPE] < 0:
            angle = np.zeros_like(angle)
        motion = np.concatenate([world, np.cos(angle)[:, None], np.sin(angle)[:, None]], axis=1)
        return states.tidy(code.astype(np.float32)), motion.astype(np.float32)


def _follow(found: list[list[_Found]]) -> list[_Lane]:
    """Lanes of things that were seen in a fair share of the frames, in the scene's order."""
    lanes: list[_Lane] = []
    for frame, things in enumerate(found):
        cost = np.array([[_unlike(lane.last, one) for one in things] for lane in lanes])
        taken: set[int] = set()
        if cost.size:
            for lane, one in zip(*linear_sum_assignment(cost), strict=True):
                if cost[lane, one] < FAR_APART:
                    lanes[lane].add(frame, things[one])
                    taken.add(int(one))
        for i, one in enumerate(things):
            if i not in taken:
                lanes.append(_Lane(len(found)))
                lanes[-1].add(frame, one)
    lanes = sorted(lanes, key=lambda lane: -lane.seen)[: states.SLOTS]
    lanes = [lane for lane in lanes if lane.seen >= max(1, len(found) // 8)]
    return sorted(lanes, key=_rank)


def _unlike(last: _Found | None, one: _Found) -> float:
    if last is None:
        return FAR_APART
    looks = float(np.abs(last.code[: states.SIZE - 1] - one.code[: states.SIZE - 1]).mean())
    return float(np.hypot(*(last.place - one.place))) + OTHER_LOOK * looks


def _rank(lane: _Lane) -> tuple[int, float, float]:
    seen = [one for one in lane.found if one is not None]
    code = np.median([one.code for one in seen], axis=0)
    colour = int(code[: len(states.COLOUR_NAMES)].argmax())
    return colour, float(code[states.SHAPE - 1] > 0), float(seen[0].place[0])
