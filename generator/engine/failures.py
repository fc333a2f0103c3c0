"""Errors of models and of post-processing as failed clips."""

import logging
from collections.abc import Callable
from typing import TypeVar

from generator.clips import ClipRequest, FailedClip
from generator.errors import GeneratorError, MissingClip, OrderError, RefusalError, first_line

T = TypeVar("T")

logger = logging.getLogger(__name__)


class DeviceLost(Exception):
    """An accelerator is in a state that only a new process can leave."""


def result_or_failure(request: ClipRequest, function: Callable[[], T]) -> T | FailedClip:
    """Call `function`; an error becomes a failed clip, so that the run continues.

    Raises:
        DeviceLost: the device can do no more work for this process.
    """
    try:
        return function()
    except GeneratorError as error:
        return FailedClip(
            request,
            str(error),
            refused=isinstance(error, RefusalError),
            maybe_billed=isinstance(error, OrderError),
            missing=isinstance(error, MissingClip),
        )
    except Exception as error:  # the code of a model may raise anything
        if _is_device_lost(error):
            raise DeviceLost(describe_error(request, error)) from error
        logger.debug("%s failed", request.prompt_id, exc_info=True)
        return FailedClip(request, describe_error(request, error))


def describe_error(request: ClipRequest, error: Exception) -> str:
    """One sentence about an unexpected error on a request."""
    name, message = type(error).__name__, first_line(error)
    detail = f"{name}: {message}" if message else name
    return f"{request.entrant.name} failed on prompt {request.prompt_id} ({detail})."


def _is_device_lost(error: Exception) -> bool:
    """Whether CUDA refuses all further work in this process."""
    return type(error).__name__ == "AcceleratorError" or "CUDA error" in first_line(error)
