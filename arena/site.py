"""The operator's own name, logo and texts: settings, and files in ARENA_HOME.

`about.md` and `privacy.md` are Markdown, shown without HTML; `logo.svg` replaces the logo. A file
that is not safe or cannot be read is left out with one sentence, and the arena is served without
it.
"""

import logging
import re
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from arena.settings import DEFAULT_TITLE, Settings

ABOUT_FILE, PRIVACY_FILE, LOGO_FILE = "about.md", "privacy.md", "logo.svg"
MAX_TEXT_BYTES = 200_000
MAX_LOGO_BYTES = 200_000
SVG = "{http://www.w3.org/2000/svg}"
XLINK_HREF = "{http://www.w3.org/1999/xlink}href"
# Drawing only: no scripts, no HTML inside, no animation, nothing that is loaded from elsewhere.
ELEMENTS = {
    *("circle", "clipPath", "defs", "desc", "ellipse", "feBlend", "feColorMatrix", "feFlood"),
    *("feComposite", "feGaussianBlur", "feMerge", "feMergeNode", "feOffset", "filter", "g", "line"),
    *("linearGradient", "marker", "mask", "metadata", "path", "pattern", "polygon", "polyline"),
    *("radialGradient", "rect", "stop", "style", "svg", "symbol", "text", "title", "tspan", "use"),
}
# In attributes and style sheets. A reference to a part of the same file, url(#name), is allowed.
FORBIDDEN_TEXT = re.compile(r"(?i)url\((?!\s*['\"]?#)|@import|javascript:|expression\(|\\")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Site:
    """What the pages, the API and releases show of the operator.

    Attributes:
        title: the arena's name.
        contact: an e-mail address or a web address; empty for none.
        licence: of releases, as the operator states it; empty for none.
        about: Markdown; None: the shipped text alone.
        privacy: Markdown; None: the shipped text alone.
        logo: an SVG document; None: the shipped one.
        problems: sentences about files that are left out.
    """

    title: str
    contact: str
    licence: str
    about: str | None
    privacy: str | None
    logo: str | None
    problems: tuple[str, ...]

    @property
    def contact_url(self) -> str:
        """The contact as the address of a link; empty for none."""
        return f"mailto:{self.contact}" if "@" in self.contact else self.contact


UNNAMED = Site(DEFAULT_TITLE, "", "", None, None, None, ())  # an arena whose operator set nothing


def read_site(settings: Settings) -> Site:
    """Read the operator's texts and logo; what cannot be shown becomes one of `problems`."""
    problems: list[str] = []
    about, privacy, logo = (
        _read(settings.home / name, limit, problems)
        for name, limit in (
            (ABOUT_FILE, MAX_TEXT_BYTES),
            (PRIVACY_FILE, MAX_TEXT_BYTES),
            (LOGO_FILE, MAX_LOGO_BYTES),
        )
    )
    if logo is not None and (fault := svg_fault(logo)):
        problems.append(f"{settings.home / LOGO_FILE} is not used: {fault}.")
        logo = None
    return Site(
        title=settings.title,
        contact=settings.contact,
        licence=settings.release_licence,
        about=about,
        privacy=privacy,
        logo=logo,
        problems=tuple(problems),
    )


def _read(path: Path, limit: int, problems: list[str]) -> str | None:
    """Return a file's text; None, and a problem, if there is none to show."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            problems.append(f"{path} is not used: it has more than {limit // 1000:,} kB.")
            return None
        return data.decode("utf-8-sig").strip() or None
    except FileNotFoundError:
        return None
    except OSError as error:
        problems.append(f"{path} is not used: it cannot be read ({error.strerror}).")
    except UnicodeDecodeError:
        problems.append(f"{path} is not used: it is not UTF-8 text.")
    return None


def svg_fault(document: str) -> str | None:
    """Return why an SVG is not safe to show, as part of a sentence; None if it is."""
    if "<!DOCTYPE" in document.upper() or "<!ENTITY" in document.upper():
        return "a logo must not have a DOCTYPE or entities"
    try:
        root = ElementTree.fromstring(document)  # noqa: S314  (entities are refused above)
    except ElementTree.ParseError as error:
        return f"it is not SVG ({error})"
    if root.tag != f"{SVG}svg":
        return "its first element is not <svg> of the SVG namespace"
    for element in root.iter():
        if not isinstance(element.tag, str):
            return "a logo must not have processing instructions"
        name = element.tag.removeprefix(SVG)
        if name not in ELEMENTS:
            return f"a logo must not have the element <{name.rpartition('}')[2]}>"
        if name == "style" and FORBIDDEN_TEXT.search(element.text or ""):
            return "its <style> refers to something outside the file"
        for attribute, value in element.attrib.items():
            if fault := _attribute_fault(attribute, value):
                return fault
    return None


def _attribute_fault(attribute: str, value: str) -> str | None:
    name = attribute.rpartition("}")[2].lower()
    if name.startswith("on"):
        return f"a logo must not have the attribute {name}"
    if name in ("href", "src", "base") and not value.strip().startswith("#"):
        return f"its {name} refers to something outside the file"
    if FORBIDDEN_TEXT.search(value):
        return f"its attribute {name} refers to something outside the file"
    return None
