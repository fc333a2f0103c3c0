"""Convert images between arrays, Pillow images and the output types of a pipeline."""

from typing import Any

import numpy as np
from PIL import Image

Picture = Image.Image | np.ndarray

SMALLEST_PIXELS = 32  # least height and width of an image


def to_uint8(images: np.ndarray) -> np.ndarray:
    """Convert colours in [0, 1], of any shape, to uint8."""
    return np.asarray(images * 255 + 0.5, dtype=np.uint8)


def as_array(picture: Picture) -> np.ndarray:
    """Convert an image to (H, W, 3) uint8.

    Raises:
        ValueError: it is not an RGB image, or too small.
    """
    pixels = np.asarray(picture.convert("RGB") if isinstance(picture, Image.Image) else picture)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or min(pixels.shape[:2]) < SMALLEST_PIXELS:
        raise ValueError(
            f"an image must have shape (height, width, 3) and at least {SMALLEST_PIXELS} pixels a "
            f"side, not {pixels.shape}."
        )
    return pixels if pixels.dtype == np.uint8 else to_uint8(np.clip(pixels, 0, 1))


def as_output(videos: Any, output_type: str) -> Any:
    """Convert videos, a tensor (B, F, H, W, 3), to the output type "np", "pt" or "pil"."""
    if output_type == "pt":
        return videos.permute(0, 1, 4, 2, 3)
    frames = videos.cpu().numpy()
    if output_type == "np":
        return frames
    return [[Image.fromarray(frame) for frame in video] for video in to_uint8(frames)]
