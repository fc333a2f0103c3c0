"""Progress of a pipeline by its steps of denoising."""

import inspect
from collections.abc import Callable
from typing import Any

from generator.progress import report_progress

CALLBACK = "callback_on_step_end"
# What comes after the last step, decoding and encoding, takes its part of the time.
SHARE_OF_STEPS = 0.9


def progress_callback(pipeline: Any, *, call: Callable[..., Any]) -> dict[str, Any]:
    """The argument that has every step told as progress; none for a call without a place for it."""
    if CALLBACK not in inspect.signature(call).parameters:
        return {}

    def after_step(_: Any, step: int, timestep: Any, values: dict[str, Any]) -> dict[str, Any]:
        timesteps = getattr(getattr(pipeline, "scheduler", None), "timesteps", None)
        if timesteps is not None and len(timesteps):
            report_progress(SHARE_OF_STEPS * (step + 1) / len(timesteps))
        return values

    return {CALLBACK: after_step}
