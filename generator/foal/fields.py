"""The codec's decoder: pictures as functions of coordinates, so that no resolution is built in.

A background field, and for each thing a shadow field and a sprite field on coordinates relative to
the thing, all learned; they are laid over each other in the depth order that the codes carry.
Coordinates are picture heights as in `render`. N pictures, P points, S slots.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

ANGLE_SCALE = 0.25  # a unit angle code in the motion code, so that it spreads about like a place
LEAST_ANGLE = 0.1  # an angle code shorter than this says that there is no angle
SPRITE_REACH = 0.16  # picture heights from a thing's centre beyond which its sprite is nothing
SHADOW_REACH = 0.26
GROUND_TOP = 0.70  # shadows lie below this line only
UNIT = 0.1  # about a thing's radius: relative coordinates are measured in it
EDGE_GAIN = 12.0  # of the cover's logit: lets small weights draw an edge of one pixel


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
        # The code's own two layers of modulation; coordinates keep full precision.
        with torch.autocast(points.device.type, enabled=False):
            shift, scale = self.code(code.float())[:, None].chunk(2, dim=-1)
            first = self.point(points.float()) * (1 + scale) + shift
        hidden = functional.silu(self.middle(functional.silu(first)))
        result: Tensor = self.out(hidden)
        return result.float()


class BackgroundField(nn.Module):
    """Colour of the empty scene: a learned plane of features, read and mixed by the scene code."""

    def __init__(self, scene_size: int, *, channels: int, grid: int, hidden: int) -> None:
        super().__init__()
        self.plane = nn.Parameter(0.1 * torch.randn(1, channels, grid, grid))
        self.mlp = PointMLP(channels + 2, scene_size, hidden, 3)

    def forward(self, points: Tensor, scene: Tensor) -> Tensor:
        """Points (N, P, 2), scene (N, scene_size) -> colours (N, P, 3)."""
        count, size = points.shape[:2]
        flat = points.reshape(1, count * size, 1, 2)
        features = functional.grid_sample(
            self.plane, flat * 2 - 1, padding_mode="border", align_corners=False
        )
        features = features[0, :, :, 0].T.reshape(count, size, -1)
        return torch.sigmoid(self.mlp(torch.cat([features, points - 0.5], dim=-1), scene))


class ThingFields(nn.Module):
    """A thing's sprite and its shadow; the same fields serve every slot."""

    def __init__(self, scene_size: int, look_size: int, *, hidden: int, shadow_hidden: int) -> None:
        super().__init__()
        self.sprite = PointMLP(4, look_size + scene_size + 2, hidden, 4)
        self.shade = PointMLP(3, look_size + scene_size + 1, shadow_hidden, 1)

    def paint(self, points: Tensor, motion: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Colour (N, P, 3) and cover (N, P, 1) of one thing.

        Args:
            points: (N, P, 2).
            motion: place and angle code, (N, 4).
            codes: look and scene, (N, look_size + scene_size).
        """
        # At full length whatever the code's: a thing may be turned wrongly, but keeps its corners.
        angle = motion[:, 2:] / ANGLE_SCALE
        angle = angle / torch.sqrt(angle.square().sum(dim=1, keepdim=True) + LEAST_ANGLE**2)
        offset = (points - motion[:, None, :2]) / UNIT
        dx, dy = offset.unbind(-1)
        reach = torch.sqrt(dx * dx + dy * dy + 1e-6)
        # The angle code is the fourth harmonic of a quarter-turn symmetry. Its product with that
        # of the point's own direction says where between face and corner the point lies.
        real = (dx**4 - 6 * dx**2 * dy**2 + dy**4) / reach**4
        imaginary = 4 * dx * dy * (dx**2 - dy**2) / reach**4
        aligned = real * angle[:, None, 0] + imaginary * angle[:, None, 1]
        corner = torch.sqrt((0.5 + 0.5 * aligned).clamp(min=1e-3))
        features = torch.stack([dx, dy, reach, corner], dim=-1)
        out = self.sprite(features, torch.cat([codes, angle], dim=-1))
        inside = (reach < SPRITE_REACH / UNIT)[..., None]
        cover = torch.sigmoid(EDGE_GAIN * out[..., :1]) * inside
        return torch.sigmoid(out[..., 1:]), cover

    def shadow(self, points: Tensor, motion: Tensor, codes: Tensor) -> Tensor:
        """Share of light that the thing takes away, (N, P, 1)."""
        dx = (points[..., 0] - motion[:, None, 0]) / UNIT
        features = torch.stack([dx, dx * dx / 4, (points[..., 1] - 0.85) / UNIT], dim=-1)
        height = motion[:, 1:2] / UNIT - 7.0
        out = self.shade(features, torch.cat([codes, height], dim=-1))
        inside = (dx.abs() < SHADOW_REACH / UNIT) & (points[..., 1] > GROUND_TOP)
        # Minus 2: no shadow to begin with.
        return torch.sigmoid(out - 2.0) * inside[..., None]


class SceneDecoder(nn.Module):
    """Background, shadows and sprites, composed.

    The content code is (scene, looks of S slots, presence of S slots, depth): depth above zero says
    that slot 0 is in front. The motion code of a frame is (x, y, angle code) of S slots.
    """

    def __init__(
        self,
        scene_size: int,
        look_size: int,
        *,
        hidden: int,
        shadow_hidden: int,
        channels: int,
        grid: int,
    ) -> None:
        super().__init__()
        self.scene_size, self.look_size = scene_size, look_size
        self.background = BackgroundField(scene_size, channels=channels, grid=grid, hidden=hidden)
        self.things = ThingFields(scene_size, look_size, hidden=hidden, shadow_hidden=shadow_hidden)

    def split(self, content: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Content (N, C) -> scene (N, s), looks (N, 2, l), presence (N, 2), depth (N,)."""
        scene, looks, presence, depth = torch.split(
            content, [self.scene_size, 2 * self.look_size, 2, 1], 1
        )
        return scene, torch.unflatten(looks, 1, (2, -1)), presence, depth[:, 0]

    def forward(self, points: Tensor, content: Tensor, motion: Tensor) -> Tensor:
        """Colours at any points: points (N, P, 2), content (N, C), motion (N, 8) -> (N, P, 3)."""
        scene, looks, presence, depth = self.split(content)
        canvas = self.background(points, scene)
        layers = []
        for slot in range(2):
            codes = torch.cat([looks[:, slot], scene], dim=1)
            place = motion[:, 4 * slot : 4 * slot + 4]
            there = presence[:, slot, None, None]
            canvas = canvas * (1 - there * self.things.shadow(points, place, codes))
            colour, cover = self.things.paint(points, place, codes)
            layers.append((colour, cover * there))
        front = torch.sigmoid(8 * depth)[:, None, None]
        return front * _over(canvas, layers[1], layers[0]) + (1 - front) * _over(canvas, *layers)

    @torch.no_grad()
    def film(self, content: Tensor, motion: Tensor, *, height: int, width: int) -> Tensor:
        """A whole clip: content (C,), motion (F, 8) -> (F, height, width, 3) in [0, 1].

        The background is asked for once, the things only inside boxes around their places.
        """
        scene, looks, presence, depth = (part[0] for part in self.split(content[None]))
        centres = pixel_grid(height, width, content)
        still = self.background(centres.reshape(1, -1, 2), scene[None]).reshape(height, width, 3)
        film = still.repeat(len(motion), 1, 1, 1)
        present = [slot for slot in range(2) if presence[slot] > 0.5]
        far_to_near = sorted(present, key=lambda slot: bool(depth > 0) == (slot == 0))
        for layer in ("shadow", "paint"):
            for slot in far_to_near:
                codes = torch.cat([looks[slot], scene]).expand(len(motion), -1)
                place = motion[:, 4 * slot : 4 * slot + 4]
                self._lay(film, centres, layer, place, codes)
        return torch.clamp(film, 0, 1)

    def _lay(self, film: Tensor, centres: Tensor, layer: str, place: Tensor, codes: Tensor) -> None:
        height, width = film.shape[1:3]
        reach = SHADOW_REACH if layer == "shadow" else SPRITE_REACH
        across = min(width, int(2 * reach * height) + 2)
        left = ((place[:, 0] - 0.5 - reach) * height + width / 2).floor().long()
        left = left.clamp(0, width - across)
        if layer == "shadow":
            first = int(GROUND_TOP * height)
            top, down = torch.full_like(left, first), height - first
        else:
            down = min(height, int(2 * reach * height) + 2)
            top = ((place[:, 1] - reach) * height).floor().long().clamp(0, height - down)
        frame = torch.arange(len(film))[:, None, None]
        row = (top[:, None] + torch.arange(down))[:, :, None]
        column = (left[:, None] + torch.arange(across))[:, None, :]
        points = centres[row, column].flatten(1, 2)
        patch = film[frame, row, column].flatten(1, 2)
        if layer == "shadow":
            patch = patch * (1 - self.things.shadow(points, place, codes))
        else:
            colour, cover = self.things.paint(points, place, codes)
            patch = patch + (colour - patch) * cover
        film[frame, row, column] = torch.unflatten(patch, 1, (down, across))


def _over(canvas: Tensor, *far_to_near: tuple[Tensor, Tensor]) -> Tensor:
    for colour, cover in far_to_near:
        canvas = canvas + (colour - canvas) * cover
    return canvas


def pixel_grid(height: int, width: int, like: Tensor) -> Tensor:
    """Coordinates of all pixel centres, shape (height, width, 2)."""
    y = (torch.arange(height, device=like.device) + 0.5) / height
    x = (torch.arange(width, device=like.device) + 0.5 - width / 2) / height + 0.5
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)
