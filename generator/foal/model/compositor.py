"""Render whole clips from latents: the background once, objects only in boxes around them.

`SceneDecoder.forward` computes the same picture point by point; this is many times faster.
"""

import torch
from torch import Tensor
from torch.nn import functional

from generator.foal.model import states
from generator.foal.model.neural_fields import (
    PLANE_LEFT,
    PLANE_RIGHT,
    Camera,
    SceneDecoder,
    SlotState,
    camera_view,
    pixel_grid,
    slot_state,
    to_picture,
    to_world,
)
from generator.foal.world.physics import ROPE_TOP
from generator.foal.world.render import SHADOW_FLATNESS, SHADOW_SIZES, SPRITE_SIZES

MIN_PRESENCE = 0.5  # slots below it are not drawn
CAMERA_TOLERANCE = 0.004  # pan, or relative zoom: a camera that moves less over the clip is at rest
ROPE_MARGIN = 0.012  # picture heights beside a rope
Box = tuple[Tensor, Tensor, Tensor]  # indices of frames, rows and columns that broadcast


@torch.no_grad()
def render_clip(
    decoder: SceneDecoder, content: Tensor, motion: Tensor, *, height: int, width: int
) -> Tensor:
    """Render a clip.

    Args:
        decoder: the trained fields.
        content: (CONTENT_TOKENS, CONTENT_DIM).
        motion: (F, MOTION_DIM).
        height: of the pictures in pixels.
        width: of the pictures in pixels.

    Returns:
        Pictures, (F, height, width, 3) in [0, 1].
    """
    content = content[None].expand(len(motion), -1, -1)
    frames = _render_background(decoder, content, motion, height, width)
    compositor = _Compositor(decoder, frames, camera_view(motion))
    slots = [slot_state(content, motion, slot) for slot in range(states.SLOTS)]
    objects = [slot for slot in slots if bool(slot.presence[0] > MIN_PRESENCE)]
    objects.sort(key=lambda slot: float(slot.ground[0]))  # from far to near
    for slot in objects:
        compositor.draw_shadow(slot)
    for slot in objects:
        if bool(slot.has_rope[0] > MIN_PRESENCE):
            compositor.draw_rope(slot)
        compositor.draw_sprite(slot)
    return torch.clamp(frames, 0, 1)


def _render_background(
    decoder: SceneDecoder, content: Tensor, motion: Tensor, height: int, width: int
) -> Tensor:
    """The clip without objects, (F, height, width, 3)."""
    scene = content[:1, 0, : states.SCENE_DIM]
    centres = pixel_grid(height, width, motion).reshape(1, -1, 2)
    pan, zoom = camera_view(motion)
    pan_range, zoom_range = float(pan.max() - pan.min()), float(zoom.max() / zoom.min())
    if pan_range < CAMERA_TOLERANCE and zoom_range < 1 + CAMERA_TOLERANCE:
        world = to_world(centres, (pan.mean()[None], zoom.mean()[None]))
        picture = decoder.background(world, scene).reshape(1, height, width, 3)
        frames: Tensor = picture.repeat(len(motion), 1, 1, 1)
        return frames
    # A moving camera: render one plane, fine enough for the closest view, and sample every frame.
    rows = round(height * float(zoom.max()))
    world_x = to_world(centres, (pan, zoom))[..., 0]
    left = max(PLANE_LEFT, float(world_x.min()) - 0.02)
    right = min(PLANE_RIGHT, float(world_x.max()) + 0.02)
    columns = round(rows * (right - left))
    x = left + (torch.arange(columns, device=motion.device) + 0.5) / columns * (right - left)
    y = (torch.arange(rows, device=motion.device) + 0.5) / rows
    points = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1).reshape(1, -1, 2)
    # Shape: (1, rows columns, 3) -> (1, 3, rows, columns)
    plane = decoder.background(points, scene).reshape(1, rows, columns, 3).permute(0, 3, 1, 2)
    sampled = []
    for camera in zip(torch.split(pan, 1), torch.split(zoom, 1), strict=True):
        world = to_world(centres, camera).reshape(1, height, width, 2)
        grid = torch.stack(
            [(world[..., 0] - left) / (right - left) * 2 - 1, world[..., 1] * 2 - 1], dim=-1
        )
        sampled.append(
            functional.grid_sample(plane, grid, padding_mode="border", align_corners=False)
        )
    return torch.cat(sampled).permute(0, 2, 3, 1).contiguous()


class _Compositor:
    """Draws objects onto frames (F, H, W, 3) in place, each in boxes of one size for all frames."""

    def __init__(self, decoder: SceneDecoder, frames: Tensor, camera: Camera) -> None:
        self.objects, self.frames, self.camera = decoder.objects, frames, camera
        self.height, self.width = frames.shape[1:3]
        self.centres = pixel_grid(self.height, self.width, frames)
        self.pixel = 1 / (self.height * camera[1])

    def draw_shadow(self, slot: SlotState) -> None:
        radius = SHADOW_SIZES * slot.size * self.camera[1]
        centre = torch.stack([slot.position[:, 0], slot.ground], dim=1)
        box, points = self._box(centre, radius, SHADOW_FLATNESS * radius)
        shadow = self.objects.shadow(points, slot)
        self._write(box, self._read(box) * (1 - shadow))

    def draw_rope(self, slot: SlotState) -> None:
        top = torch.stack([slot.rope_x, torch.full_like(slot.rope_x, ROPE_TOP)], dim=1)
        half = (top - slot.position).abs() / 2 * self.camera[1][:, None] + ROPE_MARGIN
        box, points = self._box((top + slot.position) / 2, half[:, 0], half[:, 1])
        self._blend(box, *self.objects.rope(points, slot, self.pixel))

    def draw_sprite(self, slot: SlotState) -> None:
        radius = SPRITE_SIZES * slot.size * self.camera[1]
        box, points = self._box(slot.position, radius, radius)
        self._blend(box, *self.objects.sprite(points, slot, self.pixel))

    def _box(self, centre: Tensor, half_width: Tensor, half_height: Tensor) -> tuple[Box, Tensor]:
        """Boxes around world points `centre` (F, 2), and their pixels' points (F, P, 2) there."""
        x, y = to_picture(centre, self.camera).unbind(-1)
        columns = min(self.width, int(2 * float(half_width.max()) * self.height) + 2)
        rows = min(self.height, int(2 * float(half_height.max()) * self.height) + 2)
        left = ((x - 0.5) * self.height + (self.width - columns) / 2).floor().long()
        top = (y * self.height - rows / 2).floor().long()
        left, top = left.clamp(0, self.width - columns), top.clamp(0, self.height - rows)
        # Shape: (F, 1, 1), (F, rows, 1), (F, 1, columns)
        frame = torch.arange(len(self.frames), device=left.device)[:, None, None]
        row = (top[:, None] + torch.arange(rows, device=left.device))[:, :, None]
        column = (left[:, None] + torch.arange(columns, device=left.device))[:, None, :]
        points = self.centres[row, column].flatten(1, 2)
        return (frame, row, column), to_world(points, self.camera)

    def _blend(self, box: Box, colour: Tensor, alpha: Tensor) -> None:
        patch = self._read(box)
        self._write(box, patch + (colour - patch) * alpha)

    def _read(self, box: Box) -> Tensor:
        """The colours in a box, (F, P, 3)."""
        return self.frames[box].flatten(1, 2)

    def _write(self, box: Box, patch: Tensor) -> None:
        shape = (box[1].shape[1], box[2].shape[2])
        self.frames[box] = torch.unflatten(patch, 1, shape)
