"""Detect visible text that reveals a clip's maker, with Tesseract if it is installed."""

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

SAMPLED_FRAMES = 3  # the first, middle and last frame of a clip
MIN_HEIGHT = 720  # pixels; smaller frames are enlarged so that small letters are recognized
MIN_LETTERS = 3
OCR_TIMEOUT_S = 30  # per frame
# Words in makers' names that do not identify them.
COMMON_WORDS = frozenset("the and lab labs inc ltd gmbh video videos model models studio".split())

logger = logging.getLogger(__name__)


def check_watermark(frames: NDArray[np.uint8], request: ClipRequest) -> None:
    """Reject frames (T, H, W, 3) that show the name of the entrant or of its maker.

    Does nothing if Tesseract is not installed.

    Raises:
        ClipError: A name was recognized; the message contains it.
    """
    if not ocr_available():
        return
    names = set[str]()
    for index in np.linspace(0, len(frames) - 1, SAMPLED_FRAMES).astype(int):
        names |= identifying_words(ocr_words(frames[index]), request.entrant, request.prompt)
    if names:
        raise ClipError(
            f"The clip shows its maker's name ({', '.join(sorted(names))}), which voters must not "
            "see; disable the watermark or crop it."
        )


def identifying_words(words: set[str], entrant: Entrant, prompt: str) -> set[str]:
    """Return the words that identify the entrant or its maker; words of the prompt are allowed."""
    names = _words(f"{entrant.name} {entrant.creator}") - COMMON_WORDS - _words(prompt)
    return {word for word in names & words if len(word) >= MIN_LETTERS}


@cache
def ocr_available() -> bool:
    """Whether Tesseract and its Python package are installed."""
    return shutil.which("tesseract") is not None and find_spec("pytesseract") is not None


def ocr_words(frame: NDArray[np.uint8]) -> set[str]:
    """Return the words in a frame (H, W, 3), in lower case; empty if recognition fails."""
    import pytesseract

    image = Image.fromarray(frame)
    if image.height < MIN_HEIGHT:
        scale = -(-MIN_HEIGHT // image.height)
        image = image.resize((image.width * scale, image.height * scale), Image.Resampling.BICUBIC)
    try:
        text = pytesseract.image_to_string(image, config="--psm 11", timeout=OCR_TIMEOUT_S)
    except (pytesseract.TesseractError, RuntimeError) as error:  # RuntimeError on timeout
        logger.warning("Tesseract failed on a frame: %s", error)
        return set()
    return _words(text)


def _words(text: str) -> set[str]:
    return set(re.findall(r"[^\W_]+", text.casefold()))
