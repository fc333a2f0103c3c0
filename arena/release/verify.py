"""Verifies a release from its folder alone: checksums, formats, votes and leaderboards.

What is covered: any file that differs from the released one; and, if the checksums were rewritten
to match, whatever breaks the order of votes, a reference, or a leaderboard's counts or ratings.
What is not covered: a change that affects none of these, such as another reason, or two votes that
swap places. Only a signature that a forger cannot make finds those.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from arena.errors import ReleaseError
from arena.release.archive import extracted
from arena.release.checks import check_answers
from arena.release.export import CROISSANT, MEDIA, README, SEALS, SUMS, files_in, sha256_of
from arena.release.recompute import check_leaderboards
from arena.release.schema import TABLES, TableSchema
from arena.release.sums import is_left_out, read_sums, top_names
from arena.release.tables import FORMATS, read_table
from arena.text import pluralize

MAX_SHOWN = 60  # characters of a cell in a message


@dataclass(frozen=True)
class VerifyReport:
    """What was checked and is correct."""

    folder: Path
    files: int
    formats: tuple[str, ...]
    votes: int
    simulated: int
    leaderboards: int
    left_out: tuple[str, ...] = ()  # what stands beside the release's files and is not checked

    def __str__(self) -> str:
        left_out = (
            f" Left out, because it is not part of the release: {', '.join(self.left_out)}."
            if self.left_out
            else ""
        )
        votes = pluralize(self.votes, "vote")
        checks = [
            f"{pluralize(self.files, 'file')} with the right checksums",
            *([f"{' and '.join(self.formats)} agree"] if len(self.formats) > 1 else []),
            f"{votes} and {pluralize(self.simulated, 'simulated vote')} checked",
            f"{pluralize(self.leaderboards, 'leaderboard')} recomputed with the same result",
        ]
        return (
            f"{self.folder} verifies: {'; '.join(checks)}. It has no seals, so what "
            f"affects no leaderboard is protected by {SUMS} only.{left_out}"
        )


def verify_release(folder: Path) -> VerifyReport:
    """Check everything about a release that its own files allow to check.

    Args:
        folder: of the release, or a ZIP archive of it.

    Raises:
        ReleaseError: names the file and, where known, the row and the vote's id.
    """
    if not folder.is_file():
        return _verify_folder(folder)
    with extracted(folder, marker=SUMS) as (root, left_out):
        try:
            report = _verify_folder(root)
        except ReleaseError as error:
            raise ReleaseError(str(error).replace(str(root), str(folder))) from error
    names = tuple(top_names((*left_out, *report.left_out)))
    return replace(report, folder=folder, left_out=names)


def _verify_folder(folder: Path) -> VerifyReport:
    sums, left_out = _read_sums(folder)
    altered = [name for name, sha256 in sums.items() if sha256_of(folder / name) != sha256]
    formats = _formats(folder, sums)
    # An altered file is read all the same: comparing it shows which vote was changed.
    tables = {schema.name: _read_agreeing(folder, schema, formats, altered) for schema in TABLES}
    check_answers(tables)
    leaderboards = check_leaderboards(tables)
    if altered:
        raise ReleaseError(f"{altered[0]} was changed: its checksum differs from {SUMS}.")
    _check_croissant(folder, sums)
    _check_media(sums)
    return VerifyReport(
        folder=folder,
        files=len(sums),
        formats=formats,
        votes=tables["votes"].num_rows,
        simulated=tables["simulated"].num_rows,
        leaderboards=leaderboards,
        left_out=tuple(left_out),
    )


def _read_sums(folder: Path) -> tuple[dict[str, str], list[str]]:
    """The checksum of each file by path, after checking that the list is complete.

    The second is what stands beside the files of the release and is not listed, such as `.git`.
    """
    try:
        text = (folder / SUMS).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ReleaseError(f"{folder} is not a release: it has no readable {SUMS}.") from error
    sums = read_sums(text, SUMS)
    existing = {path.relative_to(folder).as_posix(): path for path in files_in(folder)}
    del existing[SUMS]
    left_out = [name for name in existing if name not in sums and is_left_out(name)]
    for name in left_out:
        del existing[name]
    for name, path in existing.items():
        if path.is_symlink() or not path.is_file():
            raise ReleaseError(f"{name} is not a regular file: a release has only those.")
        if name not in sums:
            raise ReleaseError(f"{name} is not listed in {SUMS}.")
    for name in (*sums, README, CROISSANT, SEALS):
        if name not in existing:
            raise ReleaseError(f"{name} is missing from the release {folder}.")
    return sums, top_names(left_out)


def _formats(folder: Path, sums: dict[str, str]) -> tuple[str, ...]:
    formats = tuple(
        format_
        for format_ in FORMATS
        if any(f"{schema.name}.{format_}" in sums for schema in TABLES)
    )
    if not formats:
        raise ReleaseError(f"{TABLES[0].name}.{FORMATS[0]} is missing from the release {folder}.")
    return formats


def _read_agreeing(
    folder: Path, schema: TableSchema, formats: tuple[str, ...], altered: list[str]
) -> Any:
    """Return the table after comparing its formats; a file with the right checksum is trusted."""
    names = sorted((f"{schema.name}.{format_}" for format_ in formats), key=altered.__contains__)
    trusted, *others = names
    table = read_table(folder / trusted, schema)
    for name in others:
        other = read_table(folder / name, schema)
        if not other.equals(table):
            raise ReleaseError(_describe_difference(name, other, trusted, table))
    return table


def _describe_difference(name: str, other: Any, trusted: str, table: Any) -> str:
    """Describe the first row in which two formats of a table differ."""
    for number in range(min(other.num_rows, table.num_rows)):
        row, expected = (part.slice(number, 1).to_pylist()[0] for part in (other, table))
        for column, cell in row.items():
            if cell != expected[column]:
                return (
                    f"{name}, {_row_name(expected, number)}: {column} is {_shown(cell)}, but "
                    f"{trusted} has {_shown(expected[column])}."
                )
    longer, shorter = (name, trusted) if other.num_rows > table.num_rows else (trusted, name)
    number = min(other.num_rows, table.num_rows)
    row = (other if longer == name else table).slice(number, 1).to_pylist()[0]
    return f"{longer}, {_row_name(row, number)}: {shorter} does not have this row."


def _row_name(row: dict[str, Any], number: int) -> str:
    return f"row {number + 1}" + (f" ({row['id']})" if "id" in row else "")


def _shown(cell: Any) -> str:
    text = "empty" if cell is None else repr(cell)
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…"


def _check_croissant(folder: Path, sums: dict[str, str]) -> None:
    try:
        described = json.loads((folder / CROISSANT).read_text(encoding="utf-8"))["distribution"]
        checksums = {file["contentUrl"]: file["sha256"] for file in described}
    except (ValueError, KeyError, TypeError) as error:
        raise ReleaseError(f"{CROISSANT} does not describe a release.") from error
    for name, sha256 in checksums.items():
        if sums.get(name) != sha256:
            raise ReleaseError(f"{name} is not the file that {CROISSANT} describes.")


def _check_media(sums: dict[str, str]) -> None:
    for name, sha256 in sums.items():
        path = PurePosixPath(name)
        if path.parts[0] == MEDIA and path.stem != sha256:
            raise ReleaseError(f"{name} is not the clip of its name.")
