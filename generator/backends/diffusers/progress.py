"""Report progress after each denoising step."""

import inspect
from collections.abc import Callable
from typing import Any

from generator.progress import report_progress

CALLBACK = "callback_on_step_end"
DENOISING_SHARE = 0.9  # of the progress; the rest is decoding and encoding


def progress_callback(pipeline: Any, *, call: Callable[..., Any]) -> dict[str, Any]:
    """Return the argument that reports progress; empty if the call does not accept it."""
    if CALLBACK not in inspect.signature(call).parameters:
        return {}

    def on_step_end(_: Any, step: int, timestep: Any, values: dict[str, Any]) -> dict[str, Any]:
        timesteps = getattr(getattr(pipeline, "scheduler", None), "timesteps", None)
        if timesteps is not None and len(timesteps):
            report_progress(DENOISING_SHARE * (step + 1) / len(timesteps))
        return values

    return {CALLBACK: on_step_end}
