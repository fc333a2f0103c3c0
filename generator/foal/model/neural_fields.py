"""The codec's decoder: pictures as functions of coordinates, so that no resolution is built in.

A background field, and for each thing a shadow field, a sprite field and a rope field on
coordinates relative to the thing, all learned, laid over each other from far to near.
N pictures, P points; codes as in `states`, coordinates picture heights as in `render`.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from generator.foal.model import states
from generator.foal.world.physics import PAN, ROPE_TOP, VIEW_CENTRE, ZOOM
from generator.foal.world.render import (
    ROPE_HALF_WIDTH,
    SHADOW_FLATNESS,
    SHADOW_SIZES,
    SPRITE_SIZES,
)

PLANE_LEFT, PLANE_RIGHT = -0.45, 1.45  # what of the world the background knows
LEAST_SIZE = 0.02  # picture heights: a smaller thing is drawn at this size
EDGE_GAIN = 4.0  # of a cover's logit a pixel: an edge as soft as the renderer's
THING_CODE = states.SIZE + 1  # a slot's code up to its size
SHIFT_IN, SHIFT_OUT = 1.0, 2.0  # first distances: a disc; first shadows: none


class PointMLP(nn.Module):
    """Three layers over points, the first split into a part a point and a part a picture."""

    def __init__(self, point_size: int, code_size: int, hidden: int, out: int) -> None:
        super().__init__()
        self.point = nn.Linear(point_size, hidden)
        self.code = nn.Linear(code_size, 2 * hidden)
        self.middle = nn.Linear(hidden, hidden)
        self.out = nn.Linear(hidden, out)

    def forward(self, points: Tensor, code: Tensor) -> Tensor:
        """Points (N, P, point_size), code (N, code_size) -> (N, P, out)."""
        # Coordinates keep full precision, also in training with half of it.
        with torch.autocast(points.device.type, enabled=False):
            shift, scale = self.code(code.float())[:, None].chunk(2, dim=-1)
            first = self.point(points.float()) * (1 + scale) + shift
        hidden = functional.silu(self.middle(functional.silu(first)))
        result: Tensor = self.out(hidden)
        return result.float()


@dataclass(frozen=True)
class Thing:
    """One slot of N pictures in the world's units."""

    code: Tensor  # (N, THING_CODE + 1): the slot's code and the night
    there: Tensor  # (N,), 0 to 1
    place: Tensor  # (N, 2)
    turn: Tensor  # (N, 2): cosine and sine
    size: Tensor  # (N,)
    ground: Tensor  # (N,)
    hung: Tensor  # (N,), 0 to 1
    rope: Tensor  # (N,): x at which its rope is tied

    def at(self, rows: Tensor) -> "Thing":
        """The same of some pictures."""
        return Thing(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def read_thing(content: Tensor, motion: Tensor, slot: int) -> Thing:
    """A slot of codes (N, parts, part_size) and (N, motion_size)."""
    part, night = content[:, 1 + slot], content[:, 0, states.SCENE_CODE - 1 : states.SCENE_CODE]
    first = states.SLOT_MOTION * slot
    place = motion[:, first : first + 2] * states.PLACE_SCALE
    turn = motion[:, first + 2 : first + 4]
    size = states.SIZE_CENTRE + states.SIZE_SCALE * part[:, states.SIZE]
    return Thing(
        code=torch.cat([part[:, :THING_CODE], night], dim=1),
        there=part[:, states.THERE].clamp(0, 1),
        place=place + place.new_tensor(states.PLACE_CENTRE),
        turn=turn / torch.sqrt(turn.square().sum(dim=1, keepdim=True) + 1e-4),
        size=size.clamp(min=LEAST_SIZE),
        ground=states.GROUND_CENTRE + states.GROUND_SCALE * part[:, states.GROUND_Y],
        hung=part[:, states.ROPE].clamp(0, 1),
        rope=states.PLACE_CENTRE[0] + states.PLACE_SCALE * part[:, states.ROPE_X],
    )


def read_view(motion: Tensor) -> tuple[Tensor, Tensor]:
    """The camera's pan and zoom, (N,) each, of motion codes (N, motion_size)."""
    return motion[:, -2] * PAN, torch.exp(motion[:, -1] * math.log(ZOOM))


def to_world(points: Tensor, view: tuple[Tensor, Tensor]) -> Tensor:
    """Where in the world pictures' points (N, P, 2) lie."""
    pan, zoom = (part[:, None] for part in view)
    x = (points[..., 0] - VIEW_CENTRE[0]) / zoom + VIEW_CENTRE[0] + pan
    y = (points[..., 1] - VIEW_CENTRE[1]) / zoom + VIEW_CENTRE[1]
    return torch.stack([x, y], dim=-1)


def to_picture(points: Tensor, view: tuple[Tensor, Tensor]) -> Tensor:
    """Where in its picture a point of the world lies, one a picture, (N, 2)."""
    pan, zoom = view
    x = (points[:, 0] - VIEW_CENTRE[0] - pan) * zoom + VIEW_CENTRE[0]
    y = (points[:, 1] - VIEW_CENTRE[1]) * zoom + VIEW_CENTRE[1]
    return torch.stack([x, y], dim=-1)


class BackgroundField(nn.Module):
    """Colour of the empty scene: a learned plane of features, read and mixed by the scene code."""

    def __init__(self, *, channels: int, grid: int, hidden: int) -> None:
        super().__init__()
        columns = round(grid * (PLANE_RIGHT - PLANE_LEFT))
        self.plane = nn.Parameter(0.1 * torch.randn(1, channels, grid, columns))
        self.mlp = PointMLP(channels + 2, states.SCENE_CODE, hidden, 3)

    def forward(self, points: Tensor, scene: Tensor) -> Tensor:
        """Points (N, P, 2) of the world, scene (N, SCENE_CODE) -> colours (N, P, 3)."""
        count, size = points.shape[:2]
        x = (points[..., 0] - PLANE_LEFT) / (PLANE_RIGHT - PLANE_LEFT)
        where = torch.stack([x, points[..., 1]], dim=-1).reshape(1, count * size, 1, 2) * 2 - 1
        features = functional.grid_sample(
            self.plane, where, padding_mode="border", align_corners=False
        )
        features = features[0, :, :, 0].T.reshape(count, size, -1)
        return torch.sigmoid(self.mlp(torch.cat([features, points - 0.5], dim=-1), scene))


class ThingFields(nn.Module):
    """A thing's sprite, shadow and rope; the same fields serve every slot."""

    def __init__(self, *, hidden: int, shadow_hidden: int) -> None:
        super().__init__()
        self.sprite = PointMLP(7, THING_CODE + 3, hidden, 4)
        self.shade = PointMLP(4, THING_CODE + 2, shadow_hidden, 1)
        self.strand = PointMLP(1, 1, shadow_hidden, 4)

    def paint(self, points: Tensor, thing: Thing, pixel: Tensor) -> tuple[Tensor, Tensor]:
        """Colour (N, P, 3) and cover (N, P, 1) of a thing at points (N, P, 2) of the world.

        `pixel` is the width of a pixel in the world, (N,): an edge is as wide, at any resolution.
        """
        offset = (points - thing.place[:, None]) / thing.size[:, None, None]
        dx, dy = offset.unbind(-1)
        cos, sin = (part[:, None] for part in thing.turn.unbind(-1))
        u, v = cos * dx + sin * dy, cos * dy - sin * dx
        reach = torch.sqrt(dx * dx + dy * dy + 1e-6)
        features = torch.stack([dx, dy, u, v, reach, u.abs(), v.abs()], dim=-1)
        out = self.sprite(features, torch.cat([thing.code, thing.turn], dim=-1))
        beyond = out[..., 0] + reach - SHIFT_IN  # distance from the outline, in sizes
        sharp = EDGE_GAIN * (thing.size / pixel)[:, None]
        cover = torch.sigmoid(-beyond * sharp) * (reach < SPRITE_SIZES)
        return torch.sigmoid(out[..., 1:]), cover[..., None]

    def shadow(self, points: Tensor, thing: Thing) -> Tensor:
        """Share of light that the thing takes away, (N, P, 1)."""
        size = thing.size[:, None]
        across = (points[..., 0] - thing.place[:, :1]) / size
        down = (points[..., 1] - thing.ground[:, None]) / (SHADOW_FLATNESS * size)
        features = torch.stack([across, across**2 / 4, down, down**2 / 4], dim=-1)
        height = (thing.ground - thing.size - thing.place[:, 1])[:, None] / states.PLACE_SCALE
        out = self.shade(features, torch.cat([thing.code, height], dim=-1))
        inside = (across.abs() < SHADOW_SIZES) & (down.abs() < SHADOW_SIZES)
        return torch.sigmoid(out - SHIFT_OUT) * inside[..., None]

    def rope(self, points: Tensor, thing: Thing, pixel: Tensor) -> tuple[Tensor, Tensor]:
        """Colour (N, P, 3) and cover (N, P, 1) of what a thing hangs on."""
        tied = torch.stack([thing.rope, torch.full_like(thing.rope, ROPE_TOP)], dim=1)
        along = thing.place - tied
        length = along.square().sum(dim=1, keepdim=True).clamp(min=1e-6).sqrt()
        unit = (along / length)[:, None]
        way = points - tied[:, None]
        off = (way[..., 0] * unit[..., 1] - way[..., 1] * unit[..., 0]).abs()
        far = (way * unit).sum(dim=-1)
        out = self.strand((off / ROPE_HALF_WIDTH).clamp(max=4.0)[..., None], thing.code[:, -1:])
        beyond = (out[..., 0] * ROPE_HALF_WIDTH + off - ROPE_HALF_WIDTH) / pixel[:, None]
        cover = torch.sigmoid(-EDGE_GAIN * beyond) * (far < length) * (thing.hung > 0.5)[:, None]
        return torch.sigmoid(out[..., 1:]), cover[..., None]


class SceneDecoder(nn.Module):
    """Background, shadows, ropes and sprites, composed."""

    def __init__(self, *, hidden: int, shadow_hidden: int, channels: int, grid: int) -> None:
        super().__init__()
        self.background = BackgroundField(channels=channels, grid=grid, hidden=hidden)
        self.things = ThingFields(hidden=hidden, shadow_hidden=shadow_hidden)

    def forward(self, points: Tensor, content: Tensor, motion: Tensor, pixel: float) -> Tensor:
        """Colours of pictures at any of their points.

        Args:
            points: (N, P, 2), in the pictures.
            content: (N, parts, part_size).
            motion: (N, motion_size).
            pixel: width of a pixel in the pictures.

        Returns:
            Colours, (N, P, 3), 0 to 1.
        """
        view = read_view(motion)
        points, wide = to_world(points, view), pixel / view[1]
        canvas: Tensor = self.background(points, content[:, 0, : states.SCENE_CODE])
        things = [read_thing(content, motion, slot) for slot in range(states.SLOTS)]
        # From far to near: the order differs from picture to picture.
        order = torch.stack([thing.ground for thing in things], dim=1).argsort(dim=1)
        layers = [_gather(things, order[:, place]) for place in range(states.SLOTS)]
        for thing in layers:
            canvas = canvas * (1 - _there(thing) * self.things.shadow(points, thing))
        for thing in layers:
            if bool((thing.hung > 0.5).any()):
                canvas = _over(canvas, thing, *self.things.rope(points, thing, wide))
            canvas = _over(canvas, thing, *self.things.paint(points, thing, wide))
        return canvas


def _gather(things: list[Thing], which: Tensor) -> Thing:
    """For every picture the thing of its own slot `which`, (N,)."""
    rows = torch.arange(len(which), device=which.device)
    return Thing(
        *(
            torch.stack([getattr(thing, name) for thing in things])[which, rows]
            for name in Thing.__dataclass_fields__
        )
    )


def _there(thing: Thing) -> Tensor:
    return thing.there[:, None, None]


def _over(canvas: Tensor, thing: Thing, colour: Tensor, cover: Tensor) -> Tensor:
    laid: Tensor = canvas + (colour - canvas) * cover * _there(thing)
    return laid


def pixel_grid(height: int, width: int, like: Tensor) -> Tensor:
    """Coordinates of all pixel centres, shape (height, width, 2)."""
    y = (torch.arange(height, device=like.device) + 0.5) / height
    x = (torch.arange(width, device=like.device) + 0.5 - width / 2) / height + 0.5
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)
