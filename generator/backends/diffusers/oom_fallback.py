"""What is tried, one thing after another, when a model runs out of memory."""

import gc
import logging
from collections.abc import Callable
from typing import Any, TypeVar

from generator.errors import BackendError, first_line

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

CACHE_EMPTIED = "ran out of memory: emptied the cache"
VAE_TILING = "ran out of memory: VAE tiling"
MODEL_OFFLOAD = "ran out of memory: model offload"
SEQUENTIAL_OFFLOAD = "ran out of memory: sequential offload"
# What allocators say whose errors have no type of their own: torch's on the CPU, and Apple's.
OOM_MESSAGES = ("can't allocate memory", "not enough memory", "out of memory")


class OomFallback:
    """Runs a pipeline, a step lower each time that memory runs out.

    First the cache is emptied, then the VAE decodes in tiles, then models wait in the machine's
    memory for their turn, then their parts do. A step once taken stays: the next clip would need
    it too. Tiles change pixels, so every clip names the steps that it was made on.
    """

    def __init__(
        self,
        pipeline: Any,
        *,
        name: str,
        device: str,
        offload: str = "none",
        tiled: bool = False,
        movable: bool = True,
        forget: Callable[[], None] | None = None,
    ) -> None:
        self.pipeline = pipeline
        self.name = name
        self.device = device
        self.held: tuple[str, ...] = ()  # steps that were taken and stay
        self._forget = forget  # lets go of what else is kept in memory
        self._remaining: list[tuple[str, Callable[[], None]]] = []
        if not tiled:
            self._remaining.append((VAE_TILING, self._tile))
        if device != "cpu" and movable:
            offloads = [
                (MODEL_OFFLOAD, lambda: pipeline.enable_model_cpu_offload(device=device)),
                (
                    SEQUENTIAL_OFFLOAD,
                    lambda: pipeline.enable_sequential_cpu_offload(device=device),
                ),
            ]
            self._remaining += offloads[("none", "model", "sequential").index(offload) :]

    def run(self, call: Callable[[], Result]) -> tuple[Result, tuple[str, ...]]:
        """What the call returns, and the steps that it took: it must start afresh every time.

        Raises:
            BackendError: Memory runs out on the lowest step too.
        """
        emptied = False
        while True:
            try:
                return call(), (*((CACHE_EMPTIED,) if emptied else ()), *self.held)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                reason = first_line(error)
            # Only here, after the handler, are the failed call's frames gone, and their tensors.
            self._empty()
            if emptied:
                self._apply_next(reason)
            emptied = True

    def _apply_next(self, reason: str) -> None:
        while self._remaining:
            step, take = self._remaining.pop(0)
            try:
                take()
            except (AttributeError, NotImplementedError, ValueError) as error:
                logger.debug("%s cannot take the step %r: %s", self.name, step, error)
                continue
            logger.warning("%s %s.", self.name, step)
            self.held = (*self.held, step)
            return
        steps = ", ".join(step.rpartition(": ")[2] for step in (CACHE_EMPTIED, *self.held))
        raise BackendError(
            f"{self.name} ran out of memory on {self.device}, also after: {steps} ({reason}); "
            "use a smaller dtype, size or length, or more memory."
        )

    def _tile(self) -> None:
        self.pipeline.vae.enable_tiling()

    def _empty(self) -> None:
        if self._forget is not None:
            self._forget()
        # A call that broke off leaves offloaded models on the GPU; others stay where they are.
        if hasattr(self.pipeline, "maybe_free_model_hooks"):
            self.pipeline.maybe_free_model_hooks()
        gc.collect()
        empty_cache(self.device)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on whatever device."""
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(
        saying in str(error).lower() for saying in OOM_MESSAGES
    )


def empty_cache(device: str) -> None:
    """Give back what torch keeps for itself on a GPU."""
    import torch

    if device.startswith("cuda"):
        torch.cuda.empty_cache()
    elif device == "mps":
        torch.mps.empty_cache()
