"""From noise to latents of video and sound: a base stage, then a refinement of the picture.

Nothing in here waits for the device: steps are numbers known beforehand, and everything they need
is laid out before the first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

from generator.foal.model.blocks import AttentionFn, Rotary
from generator.foal.model.noise_schedule import shifted_sigmas
from generator.fullsize.attention import plan
from generator.fullsize.config import PATCH, FullConfig
from generator.fullsize.layout import Layout, rotary, to_latents, to_tokens
from generator.fullsize.model import FullModel


@dataclass(frozen=True, eq=False)
class Stage:
    """A run of steps at one size, with what every step needs."""

    layout: Layout
    reach: int
    levels: tuple[float, ...]  # shares of noise, from the first step's to zero
    rotary_angles: Rotary
    attends: Sequence[AttentionFn]

    @property
    def steps(self) -> int:
        return len(self.levels) - 1

    @classmethod
    def base(cls, config: FullConfig, device: torch.device, dtype: torch.dtype) -> Self:
        """The first stage, from pure noise."""
        return cls._at(
            config,
            config.base.size,
            shifted_sigmas(config.base.steps, config.base.shift),
            device,
            dtype,
        )

    @classmethod
    def refinement(
        cls, config: FullConfig, name: str, device: torch.device, dtype: torch.dtype
    ) -> Self | None:
        """The second stage of a size; None where the base stage's clip is the finished one."""
        size = config.sizes[name]
        if not size.steps:
            return None
        levels = tuple(size.renoise * (1 - step / size.steps) for step in range(size.steps + 1))
        return cls._at(config, name, levels, device, dtype)

    @classmethod
    def _at(
        cls,
        config: FullConfig,
        name: str,
        levels: tuple[float, ...],
        device: torch.device,
        dtype: torch.dtype,
    ) -> Self:
        size = config.sizes[name]
        layout = Layout.of(config, size)
        transformer = config.transformer
        rotary_angles = rotary(layout, transformer.head_dim, device, dtype)
        return cls(
            layout,
            size.window_radius,
            levels,
            rotary_angles,
            plan(transformer, layout, size.window_radius),
        )


@dataclass(frozen=True, eq=False)
class Latents:
    """What the stages pass on: tokens of video (B, V, C_v) and of sound (B, S, C_s), float32."""

    video: Tensor
    sound: Tensor


def sample_noise(stage: Stage, model: FullModel, generator: torch.Generator) -> Latents:
    """Pure noise of a stage's size, on the generator's device."""
    _, video, sound = stage.layout.lengths
    sizes = ((1, video, model.video_out.out_features), (1, sound, model.sound_out.out_features))
    drawn = (torch.randn(size, device=generator.device, generator=generator) for size in sizes)
    return Latents(*drawn)


@torch.no_grad()
def denoise(
    model: FullModel, text: Tensor, latents: Latents, stage: Stage, *, sound_too: bool = True
) -> Latents:
    """Follow the predicted velocities from the stage's first noise level to none (Euler).

    `text` is (1, N, C_t) in the model's precision. Without `sound_too`, as in the refinement, the
    finished sound is heard and left as it is.
    """
    video, sound = latents.video, latents.sound
    for level, following in pairwise(stage.levels):
        to_video, to_sound = model(
            text, video.to(text.dtype), sound.to(text.dtype), stage.rotary_angles, stage.attends
        )
        video = video + (following - level) * to_video
        if sound_too:
            sound = sound + (following - level) * to_sound
    return Latents(video, sound)


@torch.no_grad()
def enlarge(
    latents: Latents, base: Stage, target: Stage, generator: torch.Generator | None
) -> Latents:
    """The base stage's latents at the size of the refinement, with its first share of noise."""
    size = (target.layout.frames, target.layout.rows * PATCH, target.layout.columns * PATCH)
    whole = to_latents(latents.video, base.layout)
    video = to_tokens(functional.interpolate(whole, size=size, mode="trilinear"))
    share = target.levels[0]
    noise = torch.randn(video.shape, device=video.device, generator=generator)
    return Latents((1 - share) * video + share * noise, latents.sound)
