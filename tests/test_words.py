"""Names, docstrings, comments, messages and documents are plain technical English.

Each word below once stood for a standard term of the field, or was a metaphor; a reader who knows
the field had to translate it back. The list says what to write instead.
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SUFFIXES = {".py", ".js", ".css", ".md", ".toml", ".html"}
# Data, published sets, and the two files that have to spell the words.
LEFT_OUT = ("arena/shipped/", "tests/ratings/published/", "tests/test_words.py", "CHANGELOG.md")

BANNED = {
    r"told(?! apart)": "known, reported, says; or `mask`, `message`, `provenance`, by meaning",
    r"mend(s|ed|ing)?": "fix",
    r"for want of": "for lack of",
    r"by the way that": "in the way that; gracefully",
    r"(?<!as )(?<!how )so many": "N, that many",
    r"at most so many": "at most N",
    r"(?<!there )(?<!which )is no (?!longer|more|less|other|better|worse|such|one|need)\w+": (
        "is not a, is not an"
    ),
    r"(the|a|this|own) house": "module, layer, package",
    r"rooms?": "module, package, memory, space",
    r"doors?": "interface, entry point",
    r"stillborn": "failed starts",
    r"twins?": "similar names",
    r"haste": "speed",
    r"indecision": "tie rate",
    r"likeness(es)?": "scores, similarity",
    r"linger(s|ing)?": "show for some time",
    r"theatre": "full screen",
    r"onward": "continue",
    r"finishers?": "post-processor",
    r"(?<!degrees of )(?<!degree of )(?<!^of )freedom": "df, degrees of freedom",
    r"thereof|whereof|hitherto|henceforth|wherein|lest": "plain words",
    r"ladder": "fallback",
    r"lettering": "watermark",
    r"sightings?": "detection",
    r"remember_prompts": "prompt cache",
    r"as it stands|as they stand": "unchanged",
    r"what comes of|what came of": "the result of",
    r"(is|are) let go": "is freed, released",
    r"goes on where": "resumes where",
    r"has to say": "reports",
    r"knock(s|ed|ing)?": "check that it is reachable",
}
PATTERNS = {re.compile(rf"(?i)(?<![A-Za-z0-9])({word})(?![A-Za-z0-9])"): word for word in BANNED}
ANY = re.compile("(?i)" + "|".join(BANNED))


def _files() -> list[Path]:
    folders = ("arena", "generator", "ratings", "tests", "docs", "alembic")
    inside = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    found = [*inside, *ROOT.glob("*.md"), ROOT / "pyproject.toml", ROOT / "Makefile"]
    return [
        path
        for path in found
        if path.is_file()
        and (path.suffix in SUFFIXES or path.name == "Makefile")
        and not path.relative_to(ROOT).as_posix().startswith(LEFT_OUT)
        and "node_modules" not in path.parts
    ]


def _uses(text: str) -> list[tuple[int, str, str]]:
    """Line number, banned word and what to write instead."""
    # Joined identifiers are words as well: `told_by` and `toldBy` are `told`.
    text = re.sub(r"_|(?<=[a-z])(?=[A-Z])", " ", text)
    return [
        (number, match.group(), BANNED[word])
        for number, line in enumerate(text.splitlines(), start=1)
        if ANY.search(line)
        for pattern, word in PATTERNS.items()
        for match in pattern.finditer(line)
    ]


def test_no_file_uses_a_banned_word() -> None:
    uses = [
        f"{path.relative_to(ROOT)}:{number}: {word!r}: write {instead}"
        for path in _files()
        for number, word, instead in _uses(path.read_text(encoding="utf-8"))
    ]
    assert not uses, "\n".join(uses)


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("# What is no name gets the last code.", "is no name"),
        ("def why_told_twice() -> None:", "told"),
        ("const toldBy = 3;", "told"),
        ("At most so many clips.", "so many"),
        ("The one door to the generator.", "door"),
    ],
)
def test_a_banned_word_is_found(line: str, word: str) -> None:
    assert word in [found for _, found, _ in _uses(line)]


@pytest.mark.parametrize(
    "line", ["There is no track.", "It is no longer stored.", "told_apart", "degrees of freedom"]
)
def test_idiomatic_phrases_are_not_banned(line: str) -> None:
    assert not _uses(line)
