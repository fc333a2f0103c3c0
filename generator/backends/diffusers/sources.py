"""Prepare first images and source videos of prompts for a pipeline's call."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from generator.backends.diffusers.arguments import IMAGE, VIDEO, is_rounded_up
from generator.clips import ClipRequest
from generator.errors import ClipError
from generator.media import decode_for_track, fit_to_track
from generator.media.fit import needed_frames
from generator.media.images import load_image
from generator.spec import TrackSettings


@dataclass(frozen=True)
class TargetFormat:
    """Size, length and rate of the requested clip, which its source has to match."""

    width: int
    height: int
    frames: int
    fps: Fraction
    multiple: int  # width and height are multiples of this, in pixels


def read_source(
    request: ClipRequest, *, names: tuple[str, ...], call: Callable[..., Any], target: TargetFormat
) -> dict[str, Any]:
    """Return the source as an argument of the pipeline's call.

    Args:
        request: The clip's request.
        names: Possible names of the argument; empty for text-to-video tracks.
        call: The pipeline's call, whose signature decides the name.
        target: What the pipeline is asked to generate.

    Raises:
        ClipError: The prompt has no source, or it does not decode.
    """
    if not names:
        return {}
    if request.source is None:
        raise ClipError(
            f"The prompt {request.prompt_id} has no source and the track {request.track.name} "
            "needs one; set the prompt's source to an image or a video."
        )
    known = inspect.signature(call).parameters
    name = next((name for name in names if name in known), names[0])
    if names == IMAGE:
        image = load_image(request.source, (request.track.width, request.track.height))
        return {name: Image.fromarray(_pad_to_target(np.asarray(image), request.track, target))}
    return {name: _load_video(request.source, request.track, target)}


def without_media(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments without images and videos, for the provenance."""
    return {key: value for key, value in arguments.items() if key not in (*IMAGE, *VIDEO)}


def _load_video(path: Path, track: TrackSettings, target: TargetFormat) -> list[Image.Image]:
    """Load a video at the model's frame rate, repeating the last frame up to the model's length."""
    count = needed_frames(track, fps=target.fps)
    silent = track.model_copy(update={"audio": False, "fps": target.fps, "frames": count})
    fitted, _ = fit_to_track(decode_for_track(path, silent), silent)
    frames = list(fitted.frames) + [fitted.frames[-1]] * max(0, target.frames - count)
    return [Image.fromarray(_pad_to_target(frame, track, target)) for frame in frames]


def _pad_to_target(
    image: NDArray[np.uint8], track: TrackSettings, target: TargetFormat
) -> NDArray[np.uint8]:
    """Pad an image of the track's size to the pipeline's size by repeating its edges.

    The padding is cropped from the generated clip later. Scaling instead would change the image.
    """
    width, height = target.width, target.height
    if not is_rounded_up(width, height, track, multiple=target.multiple):
        return image
    top, left = (height - track.height) // 2, (width - track.width) // 2
    margins = (
        (top, height - track.height - top),
        (left, width - track.width - left),
        (0, 0),
    )
    return np.pad(image, margins, mode="edge")
