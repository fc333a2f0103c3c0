"""Foal's autoencoder: a clip becomes one content code and one motion code a frame, and back.

The encoder looks at 64 x 64 pictures; the decoder (`fields`) answers for any point, so that 256 x
256 and more are clean. Sound needs no network: its tokens are square roots of band envelopes.
"""

from dataclasses import dataclass
from typing import Any

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn
from torch.nn import functional

from generator.foal.fields import ANGLE_SCALE, SceneDecoder, pixel_grid

SLOTS = 2
MOTION_SIZE = 4 * SLOTS  # x, y and a two-number angle code a slot
ENCODER_PIXELS = 64
FOLD = 4  # pixels folded into channels: the encoder works on a 16 x 16 grid
LEAN_GAIN = 10.0  # lets small weights prefer the left or the right of the picture
AVOID_GAIN, AVOID_REACH = 12.0, 0.07  # how much, and how near, slot 1 shuns slot 0's place
VOTE_REACH = 0.15  # a grid cell may vote for a centre this far away, picture heights


@dataclass
class Codes:
    """What the encoder says of B clips of F frames.

    The content code is kept in parts for the training's auxiliary losses.
    """

    content: Tensor  # (B, C)
    motion: Tensor  # (B, F, MOTION_SIZE)
    presence: Tensor  # (B, SLOTS), logits
    depth: Tensor  # (B,), -1 to 1
    gaze: Tensor  # (B, F, SLOTS, 2): where each slot looks, before the cells' votes


class FoalCodec(ModelMixin, ConfigMixin):
    """Encoder and decoder with two slots for things, first learned, then bound to the model."""

    config_name = "config.json"  # type: ignore[assignment]

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        scene_size: int = 8,
        look_size: int = 8,
        width: int = 64,
        summary_size: int = 128,
        field_hidden: int = 64,
        shadow_hidden: int = 32,
        plane_channels: int = 12,
        plane_grid: int = 128,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        cells = ENCODER_PIXELS // FOLD
        self.stem = nn.Conv2d(3 * FOLD * FOLD, width, 3, padding=1)
        self.blocks = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(3))
        self.key = nn.Conv2d(width, width, 1)
        self.key_place = nn.Parameter(0.02 * torch.randn(width, cells, cells))
        self.vote = nn.Sequential(
            nn.SiLU(),
            nn.Conv2d(width, width, 1),
            nn.SiLU(),
            nn.Conv2d(width, MOTION_SIZE // SLOTS, 1),
        )
        self.summary = nn.Sequential(nn.Linear(2 * width, summary_size), nn.SiLU())
        self.summary_mixed = nn.Sequential(nn.Linear(summary_size, summary_size), nn.SiLU())
        self.query = nn.Linear(summary_size, SLOTS * width)
        self.lean = nn.Linear(summary_size, SLOTS)
        self.avoid = nn.Linear(summary_size, 1)
        self.scene = nn.Linear(summary_size, scene_size)
        self.presence = nn.Linear(summary_size, SLOTS)
        seen = SLOTS * width + summary_size
        self.look = nn.Sequential(
            nn.Linear(width + summary_size, summary_size),
            nn.SiLU(),
            nn.Linear(summary_size, look_size),
        )
        self.depth = nn.Sequential(nn.Linear(seen + 2 * SLOTS, 64), nn.SiLU(), nn.Linear(64, 1))
        self.decoder = SceneDecoder(
            scene_size,
            look_size,
            hidden=field_hidden,
            shadow_hidden=shadow_hidden,
            channels=plane_channels,
            grid=plane_grid,
        )
        # Set once after training: the transformer works on codes with mean 0 and deviation 1.
        self.register_buffer("content_mean", torch.zeros(self.content_size))
        self.register_buffer("motion_mean", torch.zeros(MOTION_SIZE))
        self.register_buffer("scales", torch.ones(3))  # of content, motion, sound

    @property
    def content_size(self) -> int:
        """Numbers in a content code."""
        config: Any = self.config
        return int(config.scene_size + SLOTS * config.look_size + SLOTS + 1)

    def encode(self, pictures: Tensor) -> Codes:
        """Read B clips: pictures (B, F, 3, 64, 64) in [0, 1]; the frames may be any of the clip."""
        clips, frames = pictures.shape[:2]
        folded = functional.pixel_unshuffle(pictures.flatten(0, 1) - 0.5, FOLD)
        features = self.stem(folded.contiguous(memory_format=torch.channels_last))
        for block in self.blocks:
            features = features + block(functional.silu(features))
        pooled = torch.cat([features.mean(dim=(2, 3)), features.amax(dim=(2, 3))], dim=1)
        summary = self.summary(pooled).unflatten(0, (clips, frames)).mean(dim=1)
        summary = self.summary_mixed(summary)
        query = self.query(summary).float().unflatten(1, (SLOTS, -1))  # (B, S, W)
        keys = (self.key(features) + self.key_place).flatten(2).float()
        keys = torch.unflatten(keys, 0, (clips, frames))  # (B, F, W, cells)
        logits = torch.einsum("bsw,bfwc->bfsc", query, keys) / keys.shape[2] ** 0.5
        cells = pixel_grid(features.shape[2], features.shape[3], keys).flatten(0, 1)
        # Of two things of one look slot 0 is to find the left one, and slot 1 not the same again.
        lean = self.lean(summary).float()[:, None, :, None]
        logits = logits + LEAN_GAIN * lean * (cells[:, 0] - 0.5)
        first = logits[:, :, :1].softmax(dim=-1)
        around = (cells - first @ cells).square().sum(dim=-1, keepdim=True).transpose(2, 3)
        taken = torch.exp(-around / (2 * AVOID_REACH**2))
        avoid = AVOID_GAIN * torch.sigmoid(self.avoid(summary).float())[:, None, None]
        second = (logits[:, :, 1:] - avoid * taken).softmax(dim=-1)
        attention = torch.cat([first, second], dim=2)  # (B, F, S, cells)
        gaze = attention @ cells
        votes = self.vote(features).flatten(2).float().unflatten(0, (clips, frames))
        voted = torch.einsum("bfsc,bfvc->bfsv", attention, votes)
        place = gaze + VOTE_REACH * voted[..., :2]
        motion = torch.cat([place, ANGLE_SCALE * voted[..., 2:]], dim=-1)
        seen = torch.einsum(
            "bfsc,bfwc->bsw", attention, features.flatten(2).float().unflatten(0, (clips, frames))
        )
        seen = seen / frames
        wide = summary.float()
        look_in = torch.cat([seen, wide[:, None].expand(-1, SLOTS, -1)], dim=-1)
        looks = torch.tanh(self.look(look_in).float())
        presence = self.presence(summary).float()
        there = torch.sigmoid(presence)
        depth_in = torch.cat([seen.flatten(1), wide, place.mean(dim=1).flatten(1)], dim=1)
        depth = torch.tanh(self.depth(depth_in).float())
        scene = torch.tanh(self.scene(summary).float())
        looks = looks * there[..., None]
        motion = motion * there[:, None, :, None]
        content = torch.cat([scene, looks.flatten(1), there, depth], dim=1)
        return Codes(content, motion.flatten(2), presence, depth[:, 0], gaze)

    def decode_points(self, points: Tensor, content: Tensor, motion: Tensor) -> Tensor:
        """Colours (N, P, 3) at points (N, P, 2) of N pictures with codes (N, C), (N, 8)."""
        colours: Tensor = self.decoder(points, content, motion)
        return colours

    def decode(self, content: Tensor, motion: Tensor, *, height: int, width: int) -> Tensor:
        """Films (B, F, height, width, 3) in [0, 1] of codes (B, C) and (B, F, 8)."""
        clips = zip(content, motion, strict=True)
        return torch.stack([self.decoder.film(c, m, height=height, width=width) for c, m in clips])

    @torch.no_grad()
    def set_statistics(self, content: Tensor, motion: Tensor, sound: Tensor) -> None:
        """Learn means and ONE deviation a stream from many codes, last dimension the code's."""
        self.content_mean.copy_(content.flatten(0, -2).mean(dim=0))
        self.motion_mean.copy_(motion.flatten(0, -2).mean(dim=0))
        deviations = (content - self.content_mean, motion - self.motion_mean, sound)
        self.scales.copy_(torch.stack([part.square().mean().sqrt() for part in deviations]))

    def normalize(
        self, content: Tensor, motion: Tensor, sound: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Codes as the transformer sees them."""
        return (
            (content - self.content_mean) / self.scales[0],
            (motion - self.motion_mean) / self.scales[1],
            sound / self.scales[2],
        )

    def denormalize(
        self, content: Tensor, motion: Tensor, sound: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The inverse of `normalize`."""
        return (
            content * self.scales[0] + self.content_mean,
            motion * self.scales[1] + self.motion_mean,
            sound * self.scales[2],
        )
