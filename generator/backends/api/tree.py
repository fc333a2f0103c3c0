"""Bodies as trees: values are put in for placeholders, and what has no value falls away.

A placeholder is a whole text, `"{seconds}"`; a text with more in it is left as it is. So a value
never becomes a part of another text, and no value can change what stands around it.
"""

import re
from collections.abc import Mapping
from typing import Any

PLACEHOLDERS = frozenset(
    (
        "model prompt seed seconds ratio tier width height sound image video source_type "
        "order_name rewriting"
    ).split()
)
FILE_PLACEHOLDERS = frozenset(
    {"file_name", "file_type", "file_size"}
)  # of the request for an upload
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


class _Absent:
    """What has no value."""


ABSENT = _Absent()


def check_tree(tree: Any, known: frozenset[str] = PLACEHOLDERS) -> None:
    """Check that all placeholders of a tree are known.

    Raises:
        ValueError: one is not.
    """
    if isinstance(tree, Mapping):
        for value in tree.values():
            check_tree(value, known)
    elif isinstance(tree, list):
        for value in tree:
            check_tree(value, known)
    elif isinstance(tree, str) and (match := _PLACEHOLDER.fullmatch(tree)):
        if match[1] not in known:
            names = ", ".join(sorted(known))
            raise ValueError(f"{tree} is not a placeholder; use one of {names}")
    elif not isinstance(tree, str | int | float | bool):
        raise ValueError(f"{tree!r} should be a text, a number, true, false, a list or a table")


def texts_of(tree: Any) -> set[str]:
    """The texts that are values of a tree, placeholders included."""
    if isinstance(tree, Mapping | list):
        parts = tree.values() if isinstance(tree, Mapping) else tree
        return set[str]().union(*(texts_of(part) for part in parts))
    return {tree} if isinstance(tree, str) else set()


def fill(tree: Any, values: Mapping[str, Any]) -> Any:
    """Return a copy of a tree with its placeholders replaced.

    Without a value, a key of a table falls away; a table that is an element of a list falls away
    whole; and so does a table or list that nothing is left of.

    Args:
        tree: of tables, lists, texts, numbers and truth values, as TOML has them.
        values: by placeholder, without braces. What is not in it has no value.
    """
    filled = _fill(tree, values)
    return {} if filled is ABSENT else filled


def _fill(tree: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(tree, Mapping):
        pairs = {key: _fill(value, values) for key, value in tree.items()}
        return _without_absent_keys(pairs, was_empty=not tree)
    if isinstance(tree, list):
        elements = [_fill(element, values) for element in tree if not _lacks(element, values)]
        kept = [element for element in elements if element is not ABSENT]
        return kept if kept or not tree else ABSENT
    if isinstance(tree, str) and (match := _PLACEHOLDER.fullmatch(tree)):
        return values.get(match[1], ABSENT)
    return tree


def _without_absent_keys(pairs: dict[str, Any], *, was_empty: bool) -> Any:
    kept = {key: value for key, value in pairs.items() if value is not ABSENT}
    return kept if kept or was_empty else ABSENT


def _lacks(tree: Any, values: Mapping[str, Any]) -> bool:
    """Whether a table has a placeholder without a value, at any depth."""
    if isinstance(tree, Mapping):
        return any(
            _fill(value, values) is ABSENT or _lacks(value, values) for value in tree.values()
        )
    return False
