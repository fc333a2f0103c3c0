"""Open still images: first frames of image-to-video prompts, and uploads."""

import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from generator.errors import ClipError

IMAGE_FORMATS = ("PNG", "JPEG", "WEBP")
MIN_SIDE = 16  # pixels
MAX_FILE_BYTES = 64 * 2**20
# A decoded image takes 4 bytes a pixel, and as much again while it is converted.
MAX_PIXELS = 4096 * 4096
# JPEG is scaled while it is decoded; of a progressive one, all coefficients are kept.
MAX_JPEG_PIXELS = 64_000_000
_DEEP_MODES = frozenset({"I", "I;16", "I;16B", "I;16L", "F"})
_DEEP_RANGE = {"I": 65535.0, "F": 1.0}


def load_image(path: Path, size: tuple[int, int]) -> Image.Image:
    """Open an image as sRGB, upright and on black where it is transparent, cropped to a size.

    Args:
        path: The image file.
        size: Width and height in pixels.

    Raises:
        ClipError: The file is missing, cannot be opened, is animated, or has too few or too many
            pixels.
    """
    with _opened(path) as image:
        if image.format == "JPEG":
            # Decodes at a fraction of the size that still covers what is needed, either way up.
            longest = max(size)
            image.draft(None, (longest, longest))
        orientation = image.getexif().get(_ORIENTATION)
        profile = image.info.get("icc_profile")
        shown = _to_rgb(image, profile if isinstance(profile, bytes) else None)
    shown.getexif()[_ORIENTATION] = orientation or 1
    return ImageOps.fit(ImageOps.exif_transpose(shown), size)


_ORIENTATION = 0x0112  # of EXIF


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open an image, check it against the limits, and describe what Pillow raises."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ClipError(f"The image {path} is not a regular file; use an image file.")
        if status.st_size > MAX_FILE_BYTES:
            raise ClipError(
                f"The image {path} has {status.st_size // 2**20} MiB; reduce it to "
                f"{MAX_FILE_BYTES // 2**20} MiB or less."
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path, formats=IMAGE_FORMATS) as image:
                _check_size(path, image)
                yield image
    except FileNotFoundError:
        raise ClipError(f"The image {path} does not exist; correct its path.") from None
    except Image.DecompressionBombError:
        raise ClipError(f"The image {path} has too many pixels; scale it down.") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        # Pillow raises SyntaxError for a damaged PNG, ValueError for one with too much text.
        raise ClipError(
            f"The image {path} cannot be opened ({type(error).__name__}); "
            f"use one of {', '.join(IMAGE_FORMATS)}."
        ) from None


def _check_size(path: Path, image: Image.Image) -> None:
    if min(image.size) < MIN_SIDE:
        raise ClipError(
            f"The image {path} has {image.width} x {image.height} pixels; use one of at "
            f"least {MIN_SIDE} x {MIN_SIDE}."
        )
    limit = MAX_JPEG_PIXELS if image.format == "JPEG" else MAX_PIXELS
    if image.width * image.height > limit:
        raise ClipError(
            f"The image {path} has too many pixels ({image.width} x {image.height}); scale it "
            f"down to {limit:,} or fewer."
        )
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        raise ClipError(f"The image {path} is animated ({frames} frames); use a still one.")


def _to_rgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert any mode to 8-bit sRGB, transparent parts on black."""
    if image.mode in _DEEP_MODES:
        # Pillow cuts these at 255 instead of scaling them.
        scale = _DEEP_RANGE.get(image.mode, 65535.0)
        levels = np.clip(np.asarray(image, np.float32) / scale, 0, 1)
        image = Image.fromarray((levels * 255 + 0.5).astype(np.uint8))
    elif image.has_transparency_data:
        layer = image.convert("RGBA")
        black = Image.new("RGBA", layer.size, (0, 0, 0, 255))
        black.alpha_composite(layer)
        image = black.convert("RGB")
    return _apply_profile(image, profile).convert("RGB")


def _apply_profile(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert from an embedded colour profile, such as Display P3 or that of a printer, to sRGB."""
    if profile is None or image.mode not in ("RGB", "CMYK", "L"):
        return image
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return image  # a damaged or unsuitable profile; viewers ignore it too
    return converted or image
