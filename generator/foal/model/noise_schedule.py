"""The noise schedule of flow matching, shared by Foal, its training and the full-size model.

A noise level sigma is in [0, 1]: x_sigma = (1 - sigma) x_0 + sigma noise, so 0 is clean and 1 is
pure noise.
"""

from typing import TypeVar

from torch import Tensor

# Of the scheduler of new pipelines, and of the training of plain transformers. Saved pipelines keep
# theirs in `scheduler/scheduler_config.json`; other trainings state theirs in
# `generator.foal.training.transformer_training`.
SIGMA_SHIFT = 2.0
MIN_SIGMA = 1e-3  # the velocity divides by sigma, which must not reach zero
Sigma = TypeVar("Sigma", float, Tensor)


def shift_sigma(sigma: Sigma, shift: float) -> Sigma:
    """Shift uniformly spaced noise levels: a shift above 1 towards noise, below 1 towards clean."""
    return shift * sigma / (1 + (shift - 1) * sigma)


def shifted_sigmas(steps: int, shift: float) -> tuple[float, ...]:
    """Noise levels of `steps` sampling steps, from 1 down to 0, (steps + 1,)."""
    return tuple(shift_sigma(1 - step / steps, shift) for step in range(steps + 1))


def velocity(noisy: Tensor, clean: Tensor, sigma: Tensor) -> Tensor:
    """Flow matching's velocity (x_sigma - x_0) / sigma, for x (B, ...) and sigma (B,)."""
    return (noisy - clean) / expand_like(sigma.clamp(min=MIN_SIGMA), noisy)


def expand_like(values: Tensor, x: Tensor) -> Tensor:
    """Reshape one value per clip, (B,), to broadcast against x (B, ...)."""
    return values.reshape(-1, *[1] * (x.dim() - 1))
