"""Check first images from clients: uploads, and data URLs in a JSON body."""

import base64
import binascii
import warnings
from io import BytesIO

from PIL import Image, UnidentifiedImageError

from generator.media.images import IMAGE_FORMATS
from generator.serve.errors import BadRequest

PARAM = "input_reference"
MAX_PIXELS = 4096 * 4096
DATA_URL = "data:image/"


def check_image(data: bytes) -> None:
    """Check that data is a readable image.

    Raises:
        BadRequest: The format is not supported, or the image is damaged or too large.
    """
    known = ", ".join(IMAGE_FORMATS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(BytesIO(data), formats=IMAGE_FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise BadRequest(
                        f"{PARAM} has {image.width}x{image.height} pixels; "
                        f"scale it to {MAX_PIXELS} or fewer.",
                        param=PARAM,
                    )
                image.load()
    except UnidentifiedImageError:
        raise BadRequest(f"{PARAM} is not an image; send one of {known}.", param=PARAM) from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        # Pillow raises SyntaxError for a damaged PNG.
        raise BadRequest(f"{PARAM} is a damaged image; send one of {known}.", param=PARAM) from None


def decode_reference(reference: object) -> bytes:
    """Decode an image from `{"image_url": "data:image/png;base64,..."}` in a JSON body.

    Other URLs are not fetched, to prevent server-side request forgery.

    Raises:
        BadRequest: The reference is not a base64 data URL of an image.
    """
    url = reference.get("image_url") if isinstance(reference, dict) else reference
    if not isinstance(url, str) or not url.startswith(DATA_URL):
        raise BadRequest(
            f'{PARAM} must be an uploaded image, or {{"image_url": "{DATA_URL}png;base64,…"}}; '
            "file ids and other URLs are not supported.",
            param=PARAM,
        )
    kind, _, text = url.partition(",")
    try:
        if not kind.endswith(";base64"):
            raise ValueError
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadRequest(f"{PARAM} is not base64; encode the image again.", param=PARAM) from None
