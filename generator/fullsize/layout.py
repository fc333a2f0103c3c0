"""Where every token stands: how many there are of each modality, and their rotary positions."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from generator.foal.model.blocks import Rotary
from generator.fullsize.config import PATCH, VAE_TIME, FullConfig, Size

AXES = 3  # time, height, width
BASE = 10_000.0  # of the frequencies, as in the published design


@dataclass(frozen=True)
class Layout:
    """Tokens of a clip, in the order of the stream: text, video frame by frame, sound."""

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
        """Tokens of text, video and sound."""
        return self.text, self.frames * self.per_frame, self.sound

    @property
    def tokens(self) -> int:
        return sum(self.lengths)


def places(layout: Layout, device: torch.device) -> Tensor:
    """Place of every token on the axes time, height and width, (T, 3).

    Time is counted in latent frames for all: a sound token stands at its own video frame, four to
    a latent frame, so that frame and sound of a moment share their time. Text stands before the
    clip. Height and width are counted in tokens from the middle of the picture.
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
    """Cosines and sines, (T, pairs) each: an eighth of the head's numbers are pairs of each axis.

    The last quarter of every head is left unturned, as in the published design.
    """
    bands = max(1, head_dim // 8)
    frequencies = BASE ** -(torch.arange(bands, device=device) / bands)
    angles = (places(layout, device)[..., None] * frequencies).flatten(1)
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
