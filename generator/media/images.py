"""Open still images: first frames of image-to-video prompts, and uploads."""

from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from generator.errors import ClipError

IMAGE_FORMATS = ("PNG", "JPEG", "WEBP")
MIN_SIDE = 16  # pixels


def load_image(path: Path, size: tuple[int, int]) -> Image.Image:
    """Open an image as RGB, apply its EXIF orientation, and crop and scale it to a size.

    Args:
        path: The image file.
        size: Width and height in pixels.

    Raises:
        ClipError: The file is missing, cannot be opened, or has too few or too many pixels.
    """
    try:
        with Image.open(path, formats=IMAGE_FORMATS) as image:
            if min(image.size) < MIN_SIDE:
                raise ClipError(
                    f"The image {path} has {image.width} x {image.height} pixels; use one of at "
                    f"least {MIN_SIDE} x {MIN_SIDE}."
                )
            return ImageOps.fit(ImageOps.exif_transpose(image.convert("RGB")), size)
    except FileNotFoundError:
        raise ClipError(f"The image {path} does not exist; correct its path.") from None
    except Image.DecompressionBombError:
        raise ClipError(f"The image {path} has too many pixels; scale it down.") from None
    except (UnidentifiedImageError, OSError) as error:
        raise ClipError(
            f"The image {path} cannot be opened ({type(error).__name__}); "
            f"use one of {', '.join(IMAGE_FORMATS)}."
        ) from None
