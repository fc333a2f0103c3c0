"""Retry a pipeline with lower memory use when it runs out of memory."""

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
# Messages of allocators that raise a bare RuntimeError: torch's on the CPU, and Apple's.
OOM_MESSAGES = ("can't allocate memory", "not enough memory", "out of memory")


class OomFallback:
    """Runs a pipeline and lowers its memory use one step each time it runs out of memory.

    The steps: empty the allocator's cache, decode in tiles, offload whole models to CPU memory,
    offload layer by layer. A step stays in effect, because the next clip would need it too. Tiling
    changes pixels, so the provenance of every clip lists the steps in effect.

    Args:
        pipeline: The diffusers pipeline.
        name: Name of the entrant, for messages.
        device: The device it runs on, such as "cpu" or "cuda:1".
        offload: The offloading that the spec asks for: "none", "model" or "sequential".
        tiled: Whether the VAE decodes in tiles already.
        can_offload: False if the pipeline is split over several devices.
        clear_cache: Frees other memory, such as cached prompt embeddings.
    """

    def __init__(
        self,
        pipeline: Any,
        *,
        name: str,
        device: str,
        offload: str = "none",
        tiled: bool = False,
        can_offload: bool = True,
        clear_cache: Callable[[], None] | None = None,
    ) -> None:
        self.pipeline = pipeline
        self.name = name
        self.device = device
        self.applied: tuple[str, ...] = ()  # steps in effect
        self._clear_cache = clear_cache
        self._remaining: list[tuple[str, Callable[[], None]]] = []
        if not tiled:
            self._remaining.append((VAE_TILING, self._enable_tiling))
        if device != "cpu" and can_offload:
            offloads = [
                (MODEL_OFFLOAD, lambda: pipeline.enable_model_cpu_offload(device=device)),
                (
                    SEQUENTIAL_OFFLOAD,
                    lambda: pipeline.enable_sequential_cpu_offload(device=device),
                ),
            ]
            self._remaining += offloads[("none", "model", "sequential").index(offload) :]

    def run(self, call: Callable[[], Result]) -> tuple[Result, tuple[str, ...]]:
        """Call a function until it succeeds.

        Args:
            call: Runs the pipeline from its seed; it is called again after each step.

        Returns:
            The function's result, and the steps that were in effect.

        Raises:
            BackendError: Memory runs out after the last step too.
        """
        emptied = False
        while True:
            try:
                return call(), (*((CACHE_EMPTIED,) if emptied else ()), *self.applied)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                reason = first_line(error)
            # Free memory only after the handler, when the failed call's frames, which hold
            # tensors, are released.
            self._free_memory()
            if emptied:
                self._apply_next(reason)
            emptied = True

    def _apply_next(self, reason: str) -> None:
        while self._remaining:
            step, apply = self._remaining.pop(0)
            try:
                apply()
            except (AttributeError, NotImplementedError, ValueError) as error:
                logger.debug("%s does not support the step %r: %s", self.name, step, error)
                continue
            logger.warning("%s %s.", self.name, step)
            self.applied = (*self.applied, step)
            return
        steps = ", ".join(step.rpartition(": ")[2] for step in (CACHE_EMPTIED, *self.applied))
        raise BackendError(
            f"{self.name} ran out of memory on {self.device}, even after: {steps} ({reason}); "
            "use a smaller dtype, size or length, or more memory."
        )

    def _enable_tiling(self) -> None:
        self.pipeline.vae.enable_tiling()

    def _free_memory(self) -> None:
        if self._clear_cache is not None:
            self._clear_cache()
        # An interrupted call leaves offloaded models on the GPU.
        if hasattr(self.pipeline, "maybe_free_model_hooks"):
            self.pipeline.maybe_free_model_hooks()
        gc.collect()
        empty_cache(self.device)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out, on any device."""
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(
        message in str(error).lower() for message in OOM_MESSAGES
    )


def empty_cache(device: str) -> None:
    """Release the memory that torch's allocator caches on a GPU."""
    import torch

    if device.startswith("cuda"):
        torch.cuda.empty_cache()
    elif device == "mps":
        torch.mps.empty_cache()
