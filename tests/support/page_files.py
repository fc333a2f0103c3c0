"""The files that an HTML page loads."""

from collections.abc import Collection
from html.parser import HTMLParser


class _Files(HTMLParser):
    def __init__(self, relations: Collection[str] | None) -> None:
        super().__init__()
        self.relations = relations
        self.urls: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "script" and values.get("src"):
            self.urls.append(values["src"] or "")
        is_named = self.relations is None or values.get("rel") in self.relations
        if tag == "link" and values.get("href") and is_named:
            self.urls.append(values["href"] or "")


def files_of(html: str, *, relations: Collection[str] | None = None) -> list[str]:
    """Return the URLs of a page's scripts, and of its links with these relations; None: of all."""
    parser = _Files(relations)
    parser.feed(html)
    return parser.urls
