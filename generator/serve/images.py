"""First images that clients send: uploads, and data URLs in a JSON body."""

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
    """Refuse what does not open as a picture.

    Raises:
        BadRequest: It is no picture of a known format, is damaged, or has too many pixels.
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
        raise BadRequest(f"{PARAM} is no picture; give one of {known}.", param=PARAM) from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        # SyntaxError is Pillow's word for a PNG that is broken.
        raise BadRequest(
            f"{PARAM} does not open, it is damaged; give one of {known}.", param=PARAM
        ) from None


def decode_reference(reference: object) -> bytes:
    """The picture of a JSON body's `{"image_url": "data:image/png;base64,..."}`.

    Addresses are not fetched: a server that fetches what it is told reaches places that the client
    cannot.

    Raises:
        BadRequest: It is anything else.
    """
    url = reference.get("image_url") if isinstance(reference, dict) else reference
    if not isinstance(url, str) or not url.startswith(DATA_URL):
        raise BadRequest(
            f'{PARAM} must be an uploaded picture, or {{"image_url": "{DATA_URL}png;base64,…"}}; '
            "files by id and other addresses are not read.",
            param=PARAM,
        )
    kind, _, text = url.partition(",")
    try:
        if not kind.endswith(";base64"):
            raise ValueError
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadRequest(f"{PARAM} is no base64; encode the picture again.", param=PARAM) from None
