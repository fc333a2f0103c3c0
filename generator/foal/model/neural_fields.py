"""The codec's decoder: neural fields, so that pictures can be rendered at any resolution.

A background field, and for each object a shadow field, a sprite field and a rope field on
coordinates relative to the object, composited from far to near. Each field is a small MLP.

Shapes: N pictures, P points. Coordinates are picture heights, as in the world's renderer.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from generator.foal.model import states
from generator.foal.world.camera import PAN, ZOOM, image_to_world, world_to_image
from generator.foal.world.physics import ROPE_TOP
from generator.foal.world.render import (
    ROPE_HALF_WIDTH,
    SHADOW_FLATNESS,
    SHADOW_SIZES,
    SPRITE_SIZES,
)

PLANE_LEFT, PLANE_RIGHT = -0.45, 1.45  # the part of the world that the background covers
MIN_SIZE = 0.02  # picture heights: smaller objects are drawn at this size
EDGE_GAIN = 4.0  # slope of the alpha logit per pixel: edges as soft as the renderer's
OBJECT_DIM = states.SIZE + 1  # a slot's content up to its size
DISTANCE_BIAS, SHADOW_BIAS = 1.0, 2.0  # at initialization: a disc, and almost no shadow
Camera = tuple[Tensor, Tensor]  # pan and zoom, (N,) each


class PointMLP(nn.Module):
    """A three-layer MLP on points, conditioned on one vector per picture (FiLM)."""

    def __init__(self, point_dim: int, cond_dim: int, hidden: int, out: int) -> None:
        super().__init__()
        self.point_in = nn.Linear(point_dim, hidden)
        self.cond_in = nn.Linear(cond_dim, 2 * hidden)
        self.hidden = nn.Linear(hidden, hidden)
        self.out = nn.Linear(hidden, out)

    def forward(self, points: Tensor, cond: Tensor) -> Tensor:
        """Evaluate at points (N, P, point_dim) with cond (N, cond_dim) -> (N, P, out)."""
        # Coordinates keep full precision, in training with half precision too.
        with torch.autocast(points.device.type, enabled=False):
            # Shape: (N, 1, hidden) each
            shift, scale = self.cond_in(cond.float())[:, None].chunk(2, dim=-1)
            x = self.point_in(points.float()) * (1 + scale) + shift
        x = functional.silu(self.hidden(functional.silu(x)))
        result: Tensor = self.out(x)
        return result.float()


@dataclass(frozen=True)
class SlotState:
    """One object slot of N pictures in the world's units."""

    cond: Tensor  # (N, OBJECT_DIM + 1): the slot's content up to its size, and the time of day
    presence: Tensor  # (N,), 0 to 1
    position: Tensor  # (N, 2)
    rotation: Tensor  # (N, 2): cosine and sine
    size: Tensor  # (N,)
    ground: Tensor  # (N,): y at which the object stands
    has_rope: Tensor  # (N,), 0 to 1
    rope_x: Tensor  # (N,): x at which the rope is tied


def slot_state(content: Tensor, motion: Tensor, slot: int) -> SlotState:
    """One slot of content (N, CONTENT_TOKENS, CONTENT_DIM) and motion (N, MOTION_DIM)."""
    attributes = content[:, 1 + slot]
    time_of_day = content[:, 0, states.SCENE_DIM - 1 : states.SCENE_DIM]
    first = states.SLOT_MOTION_DIM * slot
    position = motion[:, first : first + 2] * states.POSITION_SCALE
    rotation = motion[:, first + 2 : first + 4]
    size = states.SIZE_CENTRE + states.SIZE_SCALE * attributes[:, states.SIZE]
    return SlotState(
        cond=torch.cat([attributes[:, :OBJECT_DIM], time_of_day], dim=1),
        presence=attributes[:, states.PRESENCE].clamp(0, 1),
        position=position + position.new_tensor(states.POSITION_CENTRE),
        rotation=rotation / torch.sqrt(rotation.square().sum(dim=1, keepdim=True) + 1e-4),
        size=size.clamp(min=MIN_SIZE),
        ground=states.GROUND_CENTRE + states.GROUND_SCALE * attributes[:, states.GROUND_Y],
        has_rope=attributes[:, states.ROPE].clamp(0, 1),
        rope_x=states.POSITION_CENTRE[0] + states.POSITION_SCALE * attributes[:, states.ROPE_X],
    )


def camera_view(motion: Tensor) -> Camera:
    """The camera's pan and zoom, (N,) each, from motion (N, MOTION_DIM)."""
    return motion[:, -2] * PAN, torch.exp(motion[:, -1] * math.log(ZOOM))


def to_world(points: Tensor, camera: Camera) -> Tensor:
    """Points of the pictures, (N, P, 2), in the world."""
    pan, zoom = (part[:, None] for part in camera)
    return torch.stack(image_to_world(points[..., 0], points[..., 1], pan, zoom), dim=-1)


def to_picture(points: Tensor, camera: Camera) -> Tensor:
    """One point of the world for each picture, (N, 2), in the picture."""
    pan, zoom = camera
    return torch.stack(world_to_image(points[:, 0], points[:, 1], pan, zoom), dim=-1)


class BackgroundField(nn.Module):
    """Colour of the empty scene: a learned feature plane and an MLP conditioned on the scene."""

    def __init__(self, *, channels: int, rows: int, hidden: int) -> None:
        super().__init__()
        columns = round(rows * (PLANE_RIGHT - PLANE_LEFT))
        self.feature_plane = nn.Parameter(0.1 * torch.randn(1, channels, rows, columns))
        self.mlp = PointMLP(channels + 2, states.SCENE_DIM, hidden, 3)

    def forward(self, points: Tensor, scene: Tensor) -> Tensor:
        """Evaluate at world points (N, P, 2) with scene (N, SCENE_DIM) -> colours (N, P, 3)."""
        pictures, count = points.shape[:2]
        x = (points[..., 0] - PLANE_LEFT) / (PLANE_RIGHT - PLANE_LEFT)
        # Shape: (N, P, 2) -> (1, N P, 1, 2), in [-1, 1] as grid_sample wants it
        grid = torch.stack([x, points[..., 1]], dim=-1).reshape(1, pictures * count, 1, 2) * 2 - 1
        features = functional.grid_sample(
            self.feature_plane, grid, padding_mode="border", align_corners=False
        )
        # Shape: (1, channels, N P, 1) -> (N, P, channels)
        features = features[0, :, :, 0].T.reshape(pictures, count, -1)
        return torch.sigmoid(self.mlp(torch.cat([features, points - 0.5], dim=-1), scene))


class ObjectFields(nn.Module):
    """Sprite, shadow and rope of an object; the same fields serve every slot."""

    def __init__(self, *, hidden: int, shadow_hidden: int) -> None:
        super().__init__()
        self.sprite_mlp = PointMLP(7, OBJECT_DIM + 3, hidden, 4)
        self.shadow_mlp = PointMLP(4, OBJECT_DIM + 2, shadow_hidden, 1)
        self.rope_mlp = PointMLP(1, 1, shadow_hidden, 4)

    def sprite(self, points: Tensor, slot: SlotState, pixel: Tensor) -> tuple[Tensor, Tensor]:
        """Colour (N, P, 3) and alpha (N, P, 1) of the object at world points (N, P, 2).

        `pixel` is the width of a pixel in the world, (N,): edges are one pixel wide at any
        resolution, since the MLP predicts a distance from the outline.
        """
        offset = (points - slot.position[:, None]) / slot.size[:, None, None]
        dx, dy = offset.unbind(-1)
        cos, sin = (part[:, None] for part in slot.rotation.unbind(-1))
        u, v = cos * dx + sin * dy, cos * dy - sin * dx  # in the object's own axes
        radius = torch.sqrt(dx * dx + dy * dy + 1e-6)
        features = torch.stack([dx, dy, u, v, radius, u.abs(), v.abs()], dim=-1)
        out = self.sprite_mlp(features, torch.cat([slot.cond, slot.rotation], dim=-1))
        distance = out[..., 0] + radius - DISTANCE_BIAS  # from the outline, in sizes
        slope = EDGE_GAIN * (slot.size / pixel)[:, None]
        alpha = torch.sigmoid(-distance * slope) * (radius < SPRITE_SIZES)
        return torch.sigmoid(out[..., 1:]), alpha[..., None]

    def shadow(self, points: Tensor, slot: SlotState) -> Tensor:
        """Share of the light that the object's shadow removes, (N, P, 1)."""
        size = slot.size[:, None]
        x = (points[..., 0] - slot.position[:, :1]) / size
        y = (points[..., 1] - slot.ground[:, None]) / (SHADOW_FLATNESS * size)
        features = torch.stack([x, x**2 / 4, y, y**2 / 4], dim=-1)
        height = (slot.ground - slot.size - slot.position[:, 1])[:, None] / states.POSITION_SCALE
        out = self.shadow_mlp(features, torch.cat([slot.cond, height], dim=-1))
        inside = (x.abs() < SHADOW_SIZES) & (y.abs() < SHADOW_SIZES)
        return torch.sigmoid(out - SHADOW_BIAS) * inside[..., None]

    def rope(self, points: Tensor, slot: SlotState, pixel: Tensor) -> tuple[Tensor, Tensor]:
        """Colour (N, P, 3) and alpha (N, P, 1) of the rope that the object hangs on."""
        top = torch.stack([slot.rope_x, torch.full_like(slot.rope_x, ROPE_TOP)], dim=1)
        rope = slot.position - top
        length = rope.square().sum(dim=1, keepdim=True).clamp(min=1e-6).sqrt()
        unit = (rope / length)[:, None]
        offset = points - top[:, None]
        across = (offset[..., 0] * unit[..., 1] - offset[..., 1] * unit[..., 0]).abs()
        along = (offset * unit).sum(dim=-1)
        out = self.rope_mlp((across / ROPE_HALF_WIDTH).clamp(max=4.0)[..., None], slot.cond[:, -1:])
        distance = (out[..., 0] * ROPE_HALF_WIDTH + across - ROPE_HALF_WIDTH) / pixel[:, None]
        alpha = torch.sigmoid(-EDGE_GAIN * distance) * (along < length)
        alpha = alpha * (slot.has_rope > 0.5)[:, None]
        return torch.sigmoid(out[..., 1:]), alpha[..., None]


class SceneDecoder(nn.Module):
    """All fields composited: background, shadows, ropes and sprites."""

    def __init__(self, *, hidden: int, shadow_hidden: int, channels: int, rows: int) -> None:
        super().__init__()
        self.background = BackgroundField(channels=channels, rows=rows, hidden=hidden)
        self.objects = ObjectFields(hidden=hidden, shadow_hidden=shadow_hidden)

    def forward(self, points: Tensor, content: Tensor, motion: Tensor, pixel: float) -> Tensor:
        """Colours at any points of pictures; `compositor` renders whole clips faster.

        Args:
            points: (N, P, 2), in the pictures.
            content: (N, CONTENT_TOKENS, CONTENT_DIM).
            motion: (N, MOTION_DIM).
            pixel: width of a pixel in picture heights.

        Returns:
            Colours, (N, P, 3), 0 to 1.
        """
        camera = camera_view(motion)
        points, pixel_width = to_world(points, camera), pixel / camera[1]
        canvas: Tensor = self.background(points, content[:, 0, : states.SCENE_DIM])
        slots = [slot_state(content, motion, slot) for slot in range(states.SLOTS)]
        # From far to near; the order differs from picture to picture.
        order = torch.stack([slot.ground for slot in slots], dim=1).argsort(dim=1)
        layers = [_gather(slots, order[:, layer]) for layer in range(states.SLOTS)]
        for slot in layers:
            canvas = canvas * (1 - slot.presence[:, None, None] * self.objects.shadow(points, slot))
        for slot in layers:
            if bool((slot.has_rope > 0.5).any()):
                canvas = _blend(canvas, slot, *self.objects.rope(points, slot, pixel_width))
            canvas = _blend(canvas, slot, *self.objects.sprite(points, slot, pixel_width))
        return canvas


def _gather(slots: list[SlotState], indices: Tensor) -> SlotState:
    """For each picture the slot with its index, `indices` (N,)."""
    rows = torch.arange(len(indices), device=indices.device)
    return SlotState(
        *(
            torch.stack([getattr(slot, name) for slot in slots])[indices, rows]
            for name in SlotState.__dataclass_fields__
        )
    )


def _blend(canvas: Tensor, slot: SlotState, colour: Tensor, alpha: Tensor) -> Tensor:
    blended: Tensor = canvas + (colour - canvas) * alpha * slot.presence[:, None, None]
    return blended


def pixel_grid(height: int, width: int, like: Tensor) -> Tensor:
    """Coordinates of all pixel centres, (height, width, 2), on the device of `like`."""
    y = (torch.arange(height, device=like.device) + 0.5) / height
    x = (torch.arange(width, device=like.device) + 0.5 - width / 2) / height + 0.5
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)
