"""The token sequence: how many tokens each modality has, and their rotary positions."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from generator.foal.model.blocks import Rotary
from generator.fullsize.config import PATCH, VAE_TIME, FullConfig, Size

AXES = 3  # time, height, width
ROPE_BASE = 10_000.0  # as in the published design


@dataclass(frozen=True)
class Layout:
    """Tokens of a clip in the order of the sequence: text, video frame by frame, sound."""

    text: int
    frames: int  # latent frames
    rows: int
    columns: int
    sound: int

    @classmethod
    def of(cls, config: FullConfig, size: Size) -> Self:
        rows, columns = size.grid
        clip = config.clip
        return cls(clip.text_tokens, clip.latent_frames, rows, columns, clip.frames)

    @property
    def per_frame(self) -> int:
        return self.rows * self.columns

    @property
    def lengths(self) -> tuple[int, int, int]:
        """Number of tokens of text, video and sound."""
        return self.text, self.frames * self.per_frame, self.sound

    @property
    def tokens(self) -> int:
        return sum(self.lengths)


def positions(layout: Layout, device: torch.device) -> Tensor:
    """Position of every token in time, height and width, (T, 3).

    Time is measured in latent frames for all modalities: a sound token has the time of its video
    frame, four to a latent frame. Text precedes the clip. Height and width are measured in tokens
    from the centre of the picture.
    """
    text = torch.zeros(layout.text, AXES, device=device)
    text[:, 0] = torch.arange(-layout.text, 0, device=device)
    axes = (
        torch.arange(layout.frames, device=device, dtype=torch.float32),
        torch.arange(layout.rows, device=device) - (layout.rows - 1) / 2,
        torch.arange(layout.columns, device=device) - (layout.columns - 1) / 2,
    )
    video = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).flatten(0, 2)
    sound = torch.zeros(layout.sound, AXES, device=device)
    sound[:, 0] = torch.arange(layout.sound, device=device) / VAE_TIME
    return torch.cat([text, video, sound])


def rotary(layout: Layout, head_dim: int, device: torch.device, dtype: torch.dtype) -> Rotary:
    """Cosines and sines, (T, pairs) each; each axis has pairs for an eighth of the head dimension.

    The last quarter of every head is not rotated, as in the published design.
    """
    pairs = max(1, head_dim // 8)
    frequencies = ROPE_BASE ** -(torch.arange(pairs, device=device) / pairs)
    angles = (positions(layout, device)[..., None] * frequencies).flatten(1)
    return angles.cos().to(dtype), angles.sin().to(dtype)


def to_tokens(latents: Tensor) -> Tensor:
    """Latents (B, C, F, H, W) -> video tokens (B, F * H/2 * W/2, 4 C)."""
    batch, channels, frames, height, width = latents.shape
    patches = latents.reshape(
        batch, channels, frames, height // PATCH, PATCH, width // PATCH, PATCH
    )
    return patches.permute(0, 2, 3, 5, 1, 4, 6).reshape(batch, -1, channels * PATCH * PATCH)


def to_latents(tokens: Tensor, layout: Layout) -> Tensor:
    """Video tokens (B, F * rows * columns, 4 C) -> latents (B, C, F, 2 rows, 2 columns)."""
    frames, rows, columns = layout.frames, layout.rows, layout.columns
    patches = tokens.reshape(len(tokens), frames, rows, columns, -1, PATCH, PATCH)
    whole = patches.permute(0, 4, 1, 2, 5, 3, 6)
    return whole.reshape(len(tokens), -1, frames, rows * PATCH, columns * PATCH)
