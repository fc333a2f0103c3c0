"""A clip's codes laid end to end, as diffusers' pipelines carry them, and the noise in them."""

import math

import torch
from torch import Tensor

from generator.foal.model import states
from generator.foal.model.transformer import Codes

FRAME_NUMBERS = states.MOTION_SIZE + states.SOUND_SIZE
CALM = 0.3  # noise level below which no noise is drawn anew
Generators = torch.Generator | list[torch.Generator] | None


def count_numbers(frames: int) -> int:
    """Of the latents of a clip of so many frames."""
    return states.CONTENT_SIZE + frames * FRAME_NUMBERS


def pack(codes: Codes) -> Tensor:
    """Codes laid end to end, (B, numbers)."""
    return torch.cat([part.flatten(1) for part in codes], dim=1)


def unpack(latents: Tensor) -> Codes:
    """(B, numbers) -> codes as the transformer sees them."""
    frames = (latents.shape[1] - states.CONTENT_SIZE) // FRAME_NUMBERS
    sizes = [states.CONTENT_SIZE, frames * states.MOTION_SIZE, frames * states.SOUND_SIZE]
    content, motion, heard = torch.split(latents, sizes, dim=1)
    return Codes(
        torch.unflatten(content, 1, (states.CONTENT_PARTS, -1)),
        torch.unflatten(motion, 1, (frames, -1)),
        torch.unflatten(heard, 1, (frames, -1)),
    )


def draw_noise(clips: int, numbers: int, generator: Generators) -> Tensor:
    """Noise (clips, numbers), drawn on the CPU, so that a seed is the same on every device.

    A list of generators gives every clip its own.

    Raises:
        ValueError: it has another length than there are clips.
    """
    generators = generator if isinstance(generator, list) else [generator] * clips
    if len(generators) != clips:
        raise ValueError(f"{clips} prompts need {clips} generators, not {len(generators)}.")
    return torch.stack([torch.randn(numbers, generator=own) for own in generators])


def renew_noise(
    latents: Tensor, clean: Codes, before: float, level: float, eta: float, generator: Generators
) -> Tensor:
    """Draw part of the noise in latents anew: what a step did wrong is noise to the next one.

    Where little noise is left none is drawn: there is no time to take it out again.

    Args:
        latents: after a step, (B, numbers).
        clean: what the step went towards.
        before: noise level at which it began.
        level: noise level that it reached.
        eta: 0 for none to 1 for as much as in the reverse of the diffusion
            (Song, Meng and Ermon 2021, equation 16).
        generator: of the fresh noise.
    """
    if level < CALM or not eta:
        return latents
    found = pack(clean).float()
    noise = (latents - (1 - level) * found) / level
    kept = (1 - before) * level / ((1 - level) * before)
    share = eta * math.sqrt(1 - kept * kept)
    fresh = draw_noise(len(latents), latents.shape[1], generator).to(latents.device)
    mixed = math.sqrt(1 - share * share) * noise + share * fresh
    return (1 - level) * found + level * mixed
