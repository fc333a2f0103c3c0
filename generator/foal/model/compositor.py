"""Whole films from codes: the empty scene is asked once, things only in boxes around them."""

import torch
from torch import Tensor
from torch.nn import functional

from generator.foal.model import states
from generator.foal.model.neural_fields import (
    PLANE_LEFT,
    PLANE_RIGHT,
    SceneDecoder,
    Thing,
    pixel_grid,
    read_thing,
    read_view,
    to_picture,
    to_world,
)
from generator.foal.world.physics import ROPE_TOP
from generator.foal.world.render import SHADOW_FLATNESS, SHADOW_SIZES, SPRITE_SIZES

LEAST_THERE = 0.5  # a slot that is less there is not drawn
STILL = 0.004  # a camera that moves less over the clip is at rest: pan, or share of zoom
ROPE_MARGIN = 0.012  # picture heights beside a rope


@torch.no_grad()
def draw_film(
    decoder: SceneDecoder, content: Tensor, motion: Tensor, *, height: int, width: int
) -> Tensor:
    """A clip from its codes.

    Args:
        decoder: the trained fields.
        content: (parts, part_size).
        motion: of its frames, (F, motion_size).
        height: of the pictures.
        width: of the pictures.

    Returns:
        Pictures, (F, height, width, 3) in [0, 1].
    """
    content = content[None].expand(len(motion), -1, -1)
    film = _draw_empty(decoder, content, motion, height, width)
    painter = _Painter(decoder, film, read_view(motion))
    things = [read_thing(content, motion, slot) for slot in range(states.SLOTS)]
    seen = [thing for thing in things if bool(thing.there[0] > LEAST_THERE)]
    seen.sort(key=lambda thing: float(thing.ground[0]))  # from far to near
    for thing in seen:
        painter.lay_shadow(thing)
    for thing in seen:
        if bool(thing.hung[0] > LEAST_THERE):
            painter.lay_rope(thing)
        painter.lay_sprite(thing)
    return torch.clamp(film, 0, 1)


def _draw_empty(
    decoder: SceneDecoder, content: Tensor, motion: Tensor, height: int, width: int
) -> Tensor:
    """The film without things, (F, height, width, 3)."""
    scene = content[:1, 0, : states.SCENE_CODE]
    centres = pixel_grid(height, width, motion).reshape(1, -1, 2)
    pan, zoom = read_view(motion)
    if float(pan.max() - pan.min()) < STILL and float(zoom.max() / zoom.min()) < 1 + STILL:
        world = to_world(centres, (pan.mean()[None], zoom.mean()[None]))
        still = decoder.background(world, scene).reshape(1, height, width, 3)
        film: Tensor = still.repeat(len(motion), 1, 1, 1)
        return film
    # One plane, fine enough for the nearest view, from which every frame is read.
    rows = round(height * float(zoom.max()))
    left, right = (float(f(to_world(centres, (pan, zoom))[..., 0])) for f in (torch.min, torch.max))
    left, right = max(PLANE_LEFT, left - 0.02), min(PLANE_RIGHT, right + 0.02)
    columns = round(rows * (right - left))
    x = left + (torch.arange(columns, device=motion.device) + 0.5) / columns * (right - left)
    y = (torch.arange(rows, device=motion.device) + 0.5) / rows
    points = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1).reshape(1, -1, 2)
    plane = decoder.background(points, scene).reshape(1, rows, columns, 3).permute(0, 3, 1, 2)
    frames = []
    for view in zip(torch.split(pan, 1), torch.split(zoom, 1), strict=True):
        world = to_world(centres, view).reshape(1, height, width, 2)
        where = torch.stack(
            [(world[..., 0] - left) / (right - left) * 2 - 1, world[..., 1] * 2 - 1], dim=-1
        )
        frames.append(
            functional.grid_sample(plane, where, padding_mode="border", align_corners=False)
        )
    return torch.cat(frames).permute(0, 2, 3, 1).contiguous()


class _Painter:
    """Lays one thing after another over a film, each inside boxes of one size a frame."""

    def __init__(self, decoder: SceneDecoder, film: Tensor, view: tuple[Tensor, Tensor]) -> None:
        self.things, self.film, self.view = decoder.things, film, view
        self.height, self.width = film.shape[1:3]
        self.centres = pixel_grid(self.height, self.width, film)
        self.pixel = 1 / (self.height * view[1])

    def lay_shadow(self, thing: Thing) -> None:
        reach = SHADOW_SIZES * thing.size * self.view[1]
        centre = torch.stack([thing.place[:, 0], thing.ground], dim=1)
        box, points = self._box(centre, reach, SHADOW_FLATNESS * reach)
        taken = self.things.shadow(points, thing)
        patch = self.film[box].flatten(1, 2)
        self._put(box, patch * (1 - taken))

    def lay_rope(self, thing: Thing) -> None:
        tied = torch.stack([thing.rope, torch.full_like(thing.rope, ROPE_TOP)], dim=1)
        half = (tied - thing.place).abs() / 2 * self.view[1][:, None] + ROPE_MARGIN
        box, points = self._box((tied + thing.place) / 2, half[:, 0], half[:, 1])
        self._over(box, *self.things.rope(points, thing, self.pixel))

    def lay_sprite(self, thing: Thing) -> None:
        reach = SPRITE_SIZES * thing.size * self.view[1]
        box, points = self._box(thing.place, reach, reach)
        self._over(box, *self.things.paint(points, thing, self.pixel))

    def _box(
        self, centre: Tensor, across: Tensor, down: Tensor
    ) -> tuple[tuple[Tensor, Tensor, Tensor], Tensor]:
        """Index of boxes around points of the world (F, 2), and their pixels' places there."""
        x, y = to_picture(centre, self.view).unbind(-1)
        columns = min(self.width, int(2 * float(across.max()) * self.height) + 2)
        rows = min(self.height, int(2 * float(down.max()) * self.height) + 2)
        left = ((x - 0.5) * self.height + (self.width - columns) / 2).floor().long()
        top = (y * self.height - rows / 2).floor().long()
        left, top = left.clamp(0, self.width - columns), top.clamp(0, self.height - rows)
        frame = torch.arange(len(self.film), device=left.device)[:, None, None]
        row = (top[:, None] + torch.arange(rows, device=left.device))[:, :, None]
        column = (left[:, None] + torch.arange(columns, device=left.device))[:, None, :]
        points = self.centres[row, column].flatten(1, 2)
        return (frame, row, column), to_world(points, self.view)

    def _over(self, box: tuple[Tensor, Tensor, Tensor], colour: Tensor, cover: Tensor) -> None:
        patch = self.film[box].flatten(1, 2)
        self._put(box, patch + (colour - patch) * cover)

    def _put(self, box: tuple[Tensor, Tensor, Tensor], patch: Tensor) -> None:
        shape = (box[1].shape[1], box[2].shape[2])
        self.film[box] = torch.unflatten(patch, 1, shape)
