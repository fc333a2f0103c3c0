"""Latents flattened to one tensor, as diffusers pipelines carry them, and the noise in them."""

import math

import torch
from torch import Tensor

from generator.foal.model import states
from generator.foal.model.transformer import Latents

FRAME_DIM = states.MOTION_DIM + states.SOUND_DIM
MIN_RESAMPLE_SIGMA = 0.3  # below this noise level the noise is kept
Generators = torch.Generator | list[torch.Generator] | None


def latent_size(frames: int) -> int:
    """Numbers in the flattened latents of a clip."""
    return states.CONTENT_SIZE + frames * FRAME_DIM


def pack(latents: Latents) -> Tensor:
    """Flatten latents of content, motion and sound, (B, latent_size)."""
    return torch.cat([part.flatten(1) for part in latents], dim=1)


def unpack(flat: Tensor) -> Latents:
    """The inverse of `pack`."""
    frames = (flat.shape[1] - states.CONTENT_SIZE) // FRAME_DIM
    sizes = [states.CONTENT_SIZE, frames * states.MOTION_DIM, frames * states.SOUND_DIM]
    content, motion, sound = torch.split(flat, sizes, dim=1)
    return Latents(
        torch.unflatten(content, 1, (states.CONTENT_TOKENS, -1)),
        torch.unflatten(motion, 1, (frames, -1)),
        torch.unflatten(sound, 1, (frames, -1)),
    )


def sample_noise(clips: int, size: int, generator: Generators) -> Tensor:
    """Draw noise (clips, size) on the CPU, so that a seed gives the same noise on every device.

    Args:
        clips: number of clips.
        size: numbers of each clip.
        generator: one for all clips, or one for each.

    Raises:
        ValueError: there are not as many generators as clips.
    """
    generators = generator if isinstance(generator, list) else [generator] * clips
    if len(generators) != clips:
        raise ValueError(f"{clips} prompts need {clips} generators, not {len(generators)}.")
    return torch.stack([torch.randn(size, generator=one) for one in generators])


def resample_noise(
    latents: Tensor,
    clean: Latents,
    previous_sigma: float,
    sigma: float,
    eta: float,
    generator: Generators,
) -> Tensor:
    """Replace part of the noise after a step, so that the next steps can correct its errors.

    Below MIN_RESAMPLE_SIGMA nothing is replaced: too few steps are left to remove fresh noise.

    Args:
        latents: flattened latents after the step, (B, latent_size).
        clean: the clean latents predicted in the step.
        previous_sigma: noise level before the step.
        sigma: noise level after the step.
        eta: 0 for none, 1 for as much as in the reverse of the diffusion
            (Song, Meng and Ermon 2021, equation 16).
        generator: for the fresh noise.
    """
    if sigma < MIN_RESAMPLE_SIGMA or not eta:
        return latents
    x0 = pack(clean).float()
    noise = (latents - (1 - sigma) * x0) / sigma
    ratio = (1 - previous_sigma) * sigma / ((1 - sigma) * previous_sigma)
    fresh_std = eta * math.sqrt(1 - ratio * ratio)
    fresh = sample_noise(len(latents), latents.shape[1], generator).to(latents.device)
    noise = math.sqrt(1 - fresh_std * fresh_std) * noise + fresh_std * fresh
    return (1 - sigma) * x0 + sigma * noise
