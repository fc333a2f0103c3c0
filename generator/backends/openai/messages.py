"""Read the reason that a server gives for an error, in whatever layout it sends it.

OpenAI sends `{"error": {"message": ...}}`. Others send `{"detail": ...}` as a text or as a list of
fields with problems, `{"error": "..."}`, RFC 9457 problem details, plain text or an HTML page.
"""

from collections.abc import Mapping
from html.parser import HTMLParser

# The keys under which servers put a reason, the most specific first.
REASON_KEYS = (
    "message",
    "detail",
    "error",
    "errors",
    "msg",
    "error_message",
    "error_msg",
    "errmsg",
    "error_description",
    "failure_reason",
    "fail_reason",
    "reason",
    "description",
    "title",
)
ERROR_KEYS = ("error", "errors", "detail", "error_message", "error_msg")  # never of a video
MAX_DEPTH = 6
MAX_PROBLEMS = 5  # of a list of problems
INVISIBLE_TAGS = frozenset({"script", "style", "template"})


def read_reason(body: object) -> str | None:
    """The reason in a parsed body, or in a text that is not JSON; None if it contains none."""
    text = _read(body, depth=0).strip()
    return text or None


def is_html(text: str) -> bool:
    """Whether a body is a web page rather than a message."""
    start = text.lstrip()[:15].lower()
    return start.startswith(("<!doctype html", "<html", "<head", "<body"))


def _read(body: object, *, depth: int) -> str:
    if isinstance(body, str):
        return _text_of_page(body) if is_html(body) else body
    if depth > MAX_DEPTH or body is None or isinstance(body, bool | int | float):
        return ""
    if isinstance(body, Mapping):
        return _read_mapping(body, depth=depth)
    if isinstance(body, list | tuple):
        parts = (_read(item, depth=depth + 1).strip() for item in body[:MAX_PROBLEMS])
        return "; ".join(part for part in parts if part)
    return ""


def _read_mapping(body: Mapping[object, object], *, depth: int) -> str:
    for key in REASON_KEYS:
        reason = _read(body.get(key), depth=depth + 1).strip()
        if reason:
            field = _field_name(body.get("loc") or body.get("param") or body.get("field"))
            return f"{field}: {reason}" if field and field not in reason else reason
    return ""


def _field_name(location: object) -> str:
    """The field that a problem is about: the end of a path such as ("body", "seconds")."""
    if isinstance(location, list | tuple):
        return ".".join(str(part) for part in location if part not in ("body", "__root__"))
    return location if isinstance(location, str) else ""


def _text_of_page(html: str) -> str:
    page = _VisibleText()
    page.feed(html)
    page.close()
    words = dict.fromkeys(part for part in (" ".join(text.split()) for text in page.texts) if part)
    return " - ".join(words)  # a title is often repeated as the heading


class _VisibleText(HTMLParser):
    """Collects the texts of a page that a reader would see, and its title."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._invisible = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._invisible += tag in INVISIBLE_TAGS

    def handle_endtag(self, tag: str) -> None:
        self._invisible -= tag in INVISIBLE_TAGS and self._invisible > 0

    def handle_data(self, data: str) -> None:
        if not self._invisible:
            self.texts.append(data)
