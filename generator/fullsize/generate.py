"""Denoise latents of video and sound: a base stage, then a refinement of the video.

Nothing in this module waits for the device: the noise levels are plain numbers, and everything that
a step needs is prepared before the first.
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
from generator.fullsize.attention import layer_attentions
from generator.fullsize.config import PATCH, FullConfig
from generator.fullsize.layout import Layout, rotary, to_latents, to_tokens
from generator.fullsize.model import FullModel


@dataclass(frozen=True, eq=False)
class Stage:
    """Denoising steps at one size, with everything that a step needs."""

    layout: Layout
    window_radius: int
    sigmas: tuple[float, ...]  # noise levels, from that of the first step down to 0
    rotary_angles: Rotary
    attentions: Sequence[AttentionFn]

    @property
    def steps(self) -> int:
        return len(self.sigmas) - 1

    @classmethod
    def base(cls, config: FullConfig, device: torch.device, dtype: torch.dtype) -> Self:
        """The first stage, which starts from pure noise."""
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
        """The second stage of a size; None if the base stage's clip is final."""
        size = config.sizes[name]
        if not size.steps:
            return None
        sigmas = tuple(size.renoise * (1 - step / size.steps) for step in range(size.steps + 1))
        return cls._at(config, name, sigmas, device, dtype)

    @classmethod
    def _at(
        cls,
        config: FullConfig,
        name: str,
        sigmas: tuple[float, ...],
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
            sigmas,
            rotary_angles,
            layer_attentions(transformer, layout, size.window_radius),
        )


@dataclass(frozen=True, eq=False)
class Latents:
    """Tokens of video (B, V, C_v) and of sound (B, S, C_s), float32, passed between stages."""

    video: Tensor
    sound: Tensor


def sample_noise(stage: Stage, model: FullModel, generator: torch.Generator) -> Latents:
    """Draw pure noise of a stage's size, on the generator's device."""
    _, video, sound = stage.layout.lengths
    sizes = ((1, video, model.video_out.out_features), (1, sound, model.sound_out.out_features))
    noise = (torch.randn(size, device=generator.device, generator=generator) for size in sizes)
    return Latents(*noise)


@torch.no_grad()
def denoise(
    model: FullModel, text: Tensor, latents: Latents, stage: Stage, *, update_sound: bool = True
) -> Latents:
    """Integrate the predicted velocities from the first noise level to 0, by Euler steps.

    `text` is (1, N, C_t) in the model's precision. Without `update_sound`, as in the refinement,
    the finished sound is attended to and kept.
    """
    video, sound = latents.video, latents.sound
    for sigma, next_sigma in pairwise(stage.sigmas):
        video_velocity, sound_velocity = model(
            text, video.to(text.dtype), sound.to(text.dtype), stage.rotary_angles, stage.attentions
        )
        video = video + (next_sigma - sigma) * video_velocity
        if update_sound:
            sound = sound + (next_sigma - sigma) * sound_velocity
    return Latents(video, sound)


@torch.no_grad()
def upscale(
    latents: Latents, base: Stage, target: Stage, generator: torch.Generator | None
) -> Latents:
    """Upscale the base stage's latents for the refinement and add noise of its first level."""
    size = (target.layout.frames, target.layout.rows * PATCH, target.layout.columns * PATCH)
    video_latents = to_latents(latents.video, base.layout)
    video = to_tokens(functional.interpolate(video_latents, size=size, mode="trilinear"))
    sigma = target.sigmas[0]
    noise = torch.randn(video.shape, device=video.device, generator=generator)
    return Latents((1 - sigma) * video + sigma * noise, latents.sound)
