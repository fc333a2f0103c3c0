"""Pictures as bytes, as arrays and as a caller asks for them."""

from typing import Any

import numpy as np
from PIL import Image

Picture = Image.Image | np.ndarray

SMALLEST_PIXELS = 32  # height and width below which there is no room for a thing


def to_uint8(pictures: np.ndarray) -> np.ndarray:
    """Colours in [0, 1], of any shape, as uint8."""
    return np.asarray(pictures * 255 + 0.5, dtype=np.uint8)


def as_array(picture: Picture) -> np.ndarray:
    """A picture as (H, W, 3) uint8.

    Raises:
        ValueError: it is no picture.
    """
    pixels = np.asarray(picture.convert("RGB") if isinstance(picture, Image.Image) else picture)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or min(pixels.shape[:2]) < SMALLEST_PIXELS:
        raise ValueError(
            f"an image is (height, width, 3) and at least {SMALLEST_PIXELS} pixels a side, "
            f"not {pixels.shape}."
        )
    return pixels if pixels.dtype == np.uint8 else to_uint8(np.clip(pixels, 0, 1))


def as_output(films: Any, output_type: str) -> Any:
    """Films, a tensor (B, F, H, W, 3), as a pipeline's caller asked for them: "np", "pt", "pil"."""
    if output_type == "pt":
        return films.permute(0, 1, 4, 2, 3)
    pictures = films.cpu().numpy()
    if output_type == "np":
        return pictures
    return [[Image.fromarray(frame) for frame in film] for film in to_uint8(pictures)]
