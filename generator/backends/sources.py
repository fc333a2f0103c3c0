"""First images and source videos of prompts, as pipelines take them."""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps, UnidentifiedImageError

from generator.backends.arguments import IMAGE, VIDEO
from generator.errors import ClipError
from generator.media import decode, fit_to_track
from generator.spec import ClipRequest

FORMATS = ("PNG", "JPEG", "WEBP")


def read_source(
    request: ClipRequest, *, names: tuple[str, ...], call: Callable[..., Any]
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
    name = next(name for name in names if name in inspect.signature(call).parameters)
    if names == IMAGE:
        size = request.track.width, request.track.height
        return {name: first_image(request.source, size)}
    silent = request.track.model_copy(update={"audio": False})
    fitted, _ = fit_to_track(decode(request.source), silent)
    return {name: [Image.fromarray(frame) for frame in fitted.frames]}


def without_media(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that can be written down: all but pictures."""
    return {key: value for key, value in arguments.items() if key not in (*IMAGE, *VIDEO)}


def first_image(path: Path, size: tuple[int, int]) -> Image.Image:
    """The image turned upright and cropped to the shape of a size, (width, height).

    Raises:
        ClipError: It is missing or does not open.
    """
    try:
        with Image.open(path, formats=FORMATS) as image:
            return ImageOps.fit(ImageOps.exif_transpose(image.convert("RGB")), size)
    except FileNotFoundError:
        raise ClipError(f"There is no image {path}; give the path of one.") from None
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise ClipError(
            f"The image {path} does not open ({type(error).__name__}); "
            f"give one of {', '.join(FORMATS)}."
        ) from None
