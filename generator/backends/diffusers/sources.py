"""First images and source videos of prompts, as pipelines take them."""

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
from generator.media import decode, fit_to_track
from generator.media.fit import needed_frames
from generator.media.images import load_image
from generator.spec import TrackSettings


@dataclass(frozen=True)
class TargetFormat:
    """What the pipeline is asked to make, which its source has to match."""

    width: int
    height: int
    frames: int
    fps: Fraction
    multiple: int  # of which width and height are, in pixels


def read_source(
    request: ClipRequest, *, names: tuple[str, ...], call: Callable[..., Any], canvas: TargetFormat
) -> dict[str, Any]:
    """The source under the name that the pipeline's call has for it; none for a text's track.

    Raises:
        ClipError: The prompt has no source, or it does not decode.
    """
    if not names:
        return {}
    if request.source is None:
        raise ClipError(
            f"The prompt {request.prompt_id} has no source and the track {request.track.name} "
            "needs one; give it an image or a video."
        )
    known = inspect.signature(call).parameters
    name = next((name for name in names if name in known), names[0])
    if names == IMAGE:
        image = load_image(request.source, (request.track.width, request.track.height))
        return {name: Image.fromarray(_pad_to_target(np.asarray(image), request.track, canvas))}
    return {name: _video(request.source, request.track, canvas)}


def without_media(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that can be written down: all but pictures."""
    return {key: value for key, value in arguments.items() if key not in (*IMAGE, *VIDEO)}


def _video(path: Path, track: TrackSettings, canvas: TargetFormat) -> list[Image.Image]:
    """The track's time at the model's rate; the last frame stays where the model makes more."""
    frames = needed_frames(track, fps=canvas.fps)
    silent = track.model_copy(update={"audio": False, "fps": canvas.fps, "frames": frames})
    fitted, _ = fit_to_track(decode(path), silent)
    film = list(fitted.frames) + [fitted.frames[-1]] * max(0, canvas.frames - frames)
    return [Image.fromarray(_pad_to_target(frame, track, canvas)) for frame in film]


def _pad_to_target(
    picture: NDArray[np.uint8], track: TrackSettings, canvas: TargetFormat
) -> NDArray[np.uint8]:
    """A picture of the track's size in the pipeline's, its edges drawn out over what is cut later.

    Stretched instead, it would not be the picture any more once the surplus is cut off.
    """
    width, height = canvas.width, canvas.height
    if not is_rounded_up(width, height, track, multiple=canvas.multiple):
        return picture
    top, left = (height - track.height) // 2, (width - track.width) // 2
    margins = (
        (top, height - track.height - top),
        (left, width - track.width - left),
        (0, 0),
    )
    return np.pad(picture, margins, mode="edge")
