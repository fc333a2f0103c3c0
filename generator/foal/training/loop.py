"""Resumable training loop, shared by all stages.

The random numbers of a step depend only on (seed, step), and checkpoints hold the complete state,
so that an interrupted run ends with the same bits as an uninterrupted one on the same device.
Worker processes may prepare batches, which does not change the result either.
"""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from generator.foal.training.checkpoints import EMA, load_checkpoint, save_checkpoint

logger = logging.getLogger(__name__)

GRADIENT_LIMIT = 1.0
FIGURE_SMOOTHING = 0.98  # displayed figures are moving averages over about 50 steps
PLAIN_LINE_SECONDS = 30.0
WARM_UP_STEPS = 200

Figures = dict[str, float]


@dataclass(frozen=True)
class Stage:
    """One stage of a training run.

    Attributes:
        name: of its checkpoint and contact sheet.
        module: the network to train.
        optimizers: of its parameters, at the full learning rate.
        sample_batch: samples the batch of a step; its randomness must depend on the step only.
        loss: computes the loss and figures of a batch.
        save_samples: writes a contact sheet for EMA weights; called at checkpoints and at the end.
        steps: to train in total.
        milestones: steps whose EMA weights are saved to separate files.
        decay_from: fraction of the steps after which the learning rate decays linearly to zero.
        ema_decay: decay of the exponential moving average of the weights.
        workers: processes that prepare batches.
    """

    name: str
    module: nn.Module
    optimizers: tuple[torch.optim.Optimizer, ...]
    sample_batch: Callable[[int], Any]
    loss: Callable[[Any], tuple[Tensor, Figures]]
    save_samples: Callable[[dict[str, Tensor], Path], None]
    steps: int
    milestones: tuple[int, ...] = ()
    decay_from: float = 0.5
    ema_decay: float = 0.998
    workers: int = 0


class _Batches(Dataset[Any]):
    """The batches of the steps from `first` on."""

    def __init__(self, stage: Stage, first: int) -> None:
        self.stage, self.first = stage, first

    def __len__(self) -> int:
        return self.stage.steps - self.first

    def __getitem__(self, index: int) -> Any:
        if index >= len(self):
            raise IndexError(index)
        return self.stage.sample_batch(self.first + index)


def milestone_path(run: Path, stage: str, step: int) -> Path:
    return run / f"{stage}-{step:06d}.pt"


def train_stage(
    stage: Stage, run: Path, *, resume: bool, checkpoint_seconds: float
) -> dict[str, Tensor]:
    """Train up to the last step, resuming from a checkpoint if it exists; return EMA weights."""
    path = run / f"{stage.name}.pt"
    ema = EMA(stage.module, decay=stage.ema_decay)
    base_rates = [[group["lr"] for group in o.param_groups] for o in stage.optimizers]
    first = 0
    state = load_checkpoint(path) if resume else None
    if state:
        stage.module.load_state_dict(state["module"])
        for optimizer, saved in zip(stage.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        ema.weights, first = state["mean"], int(state["step"])
        logger.info("%s: resuming from step %d", stage.name, first)

    def save(step: int) -> None:
        save_checkpoint(
            path,
            {
                "step": step,
                "module": stage.module.state_dict(),
                "optimizers": [optimizer.state_dict() for optimizer in stage.optimizers],
                "mean": ema.weights,
            },
        )

    saved_at = time.monotonic()
    smoothed: Figures = {}
    batches = iter(DataLoader(_Batches(stage, first), batch_size=None, num_workers=stage.workers))
    for step in _progress(stage.name, first, stage.steps, smoothed):
        lr_scale = _lr_scale(step, stage)
        for optimizer, rates in zip(stage.optimizers, base_rates, strict=True):
            for group, base in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = base * lr_scale
            optimizer.zero_grad(set_to_none=True)
        loss, figures = stage.loss(next(batches))
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(stage.module.parameters(), GRADIENT_LIMIT)
        for optimizer in stage.optimizers:
            optimizer.step()
        ema.update(stage.module, step)
        for name, value in {"loss": float(loss.detach()), **figures}.items():
            smoothed[name] = value + FIGURE_SMOOTHING * (smoothed.get(name, value) - value)
        done = step + 1
        if done in stage.milestones:
            save_checkpoint(milestone_path(run, stage.name, done), {"mean": ema.weights})
        if time.monotonic() - saved_at > checkpoint_seconds:
            save(done)
            stage.save_samples(ema.weights, run / f"{stage.name}.png")
            saved_at = time.monotonic()
    if first < stage.steps:
        save(stage.steps)
        stage.save_samples(ema.weights, run / f"{stage.name}.png")
    return ema.weights


def _lr_scale(step: int, stage: Stage) -> float:
    """Factor of the learning rate: linear warm-up, constant, then linear decay to zero."""
    warm_up = min(1.0, (step + 1) / min(WARM_UP_STEPS, max(1, stage.steps // 10)))
    decay = (stage.steps - step) / max(1.0, stage.steps * (1 - stage.decay_from))
    return min(warm_up, decay, 1.0)


def _progress(name: str, first: int, steps: int, smoothed: Figures) -> Iterator[int]:
    """Yield steps, with a progress bar on a terminal and a line every 30 s elsewhere."""
    console = Console(stderr=True)
    if console.is_terminal:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"),
        )
        with Progress(*columns, console=console) as bar:
            task = bar.add_task(name, total=steps, completed=first, figures="")
            for step in range(first, steps):
                yield step
                bar.update(task, completed=step + 1, figures=_line(smoothed))
        return
    started = printed = time.monotonic()
    for step in range(first, steps):
        yield step
        now = time.monotonic()
        if now - printed > PLAIN_LINE_SECONDS or step + 1 == steps:
            left = (now - started) / (step + 1 - first) * (steps - step - 1)
            done = f"{name} {step + 1}/{steps}, {left / 60:.1f} min left"
            console.print(f"{done}: {_line(smoothed)}", soft_wrap=True, highlight=False)
            printed = now


def _line(figures: Figures) -> str:
    return " ".join(f"{name} {value:.4g}" for name, value in figures.items())
