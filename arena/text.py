"""Small helpers for text that people read: plurals, and the names of tracks and entrants."""

import hashlib
import re
import unicodedata
from datetime import UTC, datetime
from functools import lru_cache

from ratings.printable import pluralize as pluralize

SLUG_DIGITS = 6
MAX_SLUG = 120  # the length of its column in `arena.models`
AUDIO_SUFFIX = "-audio"  # ends the name of a track whose clips have sound


def name_forms(name: str) -> tuple[str, ...]:
    """The forms of Unicode in which a name may be stored: all of them are one name."""
    composed, decomposed = (unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name))
    return tuple(dict.fromkeys((name, composed, decomposed)))


def slug_of_ascii(name: str) -> str | None:
    """The slug of a name, as `generator.spec` writes it; None if that needs digits of its hash."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return plain if plain and name.isascii() else None


def distinct_slug(slug: str, name: str) -> str:
    """The slug ending in hex digits of the name's SHA-256, as `generator.spec` writes it."""
    digits = hashlib.sha256(unicodedata.normalize("NFC", name).encode()).hexdigest()[:SLUG_DIGITS]
    if slug == digits or slug.endswith(f"-{digits}"):
        return slug
    return f"{slug[: MAX_SLUG - SLUG_DIGITS - 1].strip('-')}-{digits}"


def track_label(name: str) -> str:
    """Return `text-to-video-audio` as `Text to video with sound`."""
    label = name.removesuffix(AUDIO_SUFFIX).replace("-", " ").capitalize()
    return f"{label} with sound" if name.endswith(AUDIO_SUFFIX) else label


def utc_text(moment: datetime | str) -> str:
    """Return an aware time, or one in ISO 8601, as `2026-11-29 18:47:40 UTC`."""
    parsed = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return f"{parsed.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


# Characters that change the direction of the text around them, and separators of lines.
_BIDI = "".join(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x2028, 0x2029)))
_CONTROLS = re.compile(f"[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f{_BIDI}]")


@lru_cache(maxsize=4096)  # every vote's answer has the texts of two prompts
def page_text(text: str) -> str:
    """Return the text without control characters, as pages show it; line breaks and tabs stay."""
    return _CONTROLS.sub("", text.replace("\r\n", "\n"))
