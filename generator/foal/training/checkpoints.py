"""Atomic checkpoints, and the exponential moving average of weights."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from generator.files import atomic_write


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint atomically: an interrupted run leaves the old file or the new one."""
    with atomic_write(path) as file:
        torch.save(state, file)


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """Load a checkpoint of tensors and plain values; None if the file does not exist."""
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


class EMA:
    """Exponential moving average of a module's weights, which is evaluated and shipped.

    The decay is warmed up, so that early averages are not dominated by the initial weights.
    """

    def __init__(self, module: nn.Module, *, decay: float) -> None:
        self.decay = decay
        self.weights = {name: value.detach().clone() for name, value in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, value in module.state_dict().items():
            average = self.weights[name]
            if average.is_floating_point():
                average.lerp_(value.detach(), 1 - decay)
            else:
                average.copy_(value)
