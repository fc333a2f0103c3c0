"""Whether a clip names who made it: visible text, read by Tesseract where that is installed."""

import logging
import re
import shutil
from functools import cache
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from generator.clips import ClipRequest
from generator.errors import ClipError
from generator.spec import Entrant

PICTURES = 3  # of a clip are read: its first, its middle, its last
MIN_HEIGHT = 720  # pixels; smaller pictures are enlarged, or small letters are not found
MIN_LETTERS = 3
READ_S = 30  # a picture that takes longer is given up
# Words of makers' names that say nothing of who it is.
COMMON = frozenset("the and lab labs inc ltd gmbh video videos model models studio".split())

logger = logging.getLogger(__name__)


def check_watermark(frames: NDArray[np.uint8], request: ClipRequest) -> None:
    """Refuse pictures (T, H, W, 3) on which the name of the entrant or of its maker is written.

    Raises:
        ClipError: the name that was read.
    """
    if not ocr_available():
        return
    shown = set[str]()
    for place in np.linspace(0, len(frames) - 1, PICTURES).astype(int):
        shown |= identifying_words(ocr_words(frames[place]), request.entrant, request.prompt)
    if shown:
        raise ClipError(
            f"The clip shows its maker's name ({', '.join(sorted(shown))}), which voters must not "
            "see; have the model leave it out, or crop it."
        )


def identifying_words(read: set[str], entrant: Entrant, prompt: str) -> set[str]:
    """Which of the words read tell the entrant or its maker; words of the prompt may be shown."""
    names = _words(f"{entrant.name} {entrant.creator}") - COMMON - _words(prompt)
    return {word for word in names & read if len(word) >= MIN_LETTERS}


@cache
def ocr_available() -> bool:
    """Whether Tesseract and its Python package are here."""
    return shutil.which("tesseract") is not None and find_spec("pytesseract") is not None


def ocr_words(picture: NDArray[np.uint8]) -> set[str]:
    """Words on a picture (H, W, 3), in small letters; none where it cannot be read."""
    import pytesseract

    image = Image.fromarray(picture)
    if image.height < MIN_HEIGHT:
        scale = -(-MIN_HEIGHT // image.height)
        image = image.resize((image.width * scale, image.height * scale), Image.Resampling.BICUBIC)
    try:
        text = pytesseract.image_to_string(image, config="--psm 11", timeout=READ_S)
    except (pytesseract.TesseractError, RuntimeError) as error:  # RuntimeError: it took too long
        logger.warning("Tesseract does not read a picture: %s", error)
        return set()
    return _words(text)


def _words(text: str) -> set[str]:
    return set(re.findall(r"[^\W_]+", text.casefold()))
