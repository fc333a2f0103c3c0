"""Checks a release from its folder alone: sums, formats, votes, leaderboards.

What is covered: any one file that is not as it was released; and, where sums were rewritten to
match, whatever breaks the order of votes, a reference, or a leaderboard's counts or ratings.
What is not: a change that leaves all of that as it was, such as another reason or two votes that
trade places whole. Only a signature that the forger cannot make finds those.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from arena.errors import ReleaseError
from arena.release.checks import check_answers
from arena.release.export import CROISSANT, MEDIA, README, SEALS, SUMS, files_in, sha256_of
from arena.release.recompute import check_leaderboards
from arena.release.schema import TABLES, TableSchema
from arena.release.tables import FORMATS, read_table

SUM_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")
MOST_SHOWN = 60  # characters of a cell in a message


@dataclass(frozen=True)
class VerifyReport:
    """What was checked, and held."""

    folder: Path
    files: int
    formats: tuple[str, ...]
    votes: int
    simulated: int
    leaderboards: int

    def __str__(self) -> str:
        return (
            f"{self.folder} verifies: {self.files} files have their sums, "
            f"{', '.join(self.formats)} agree, {self.votes:,} votes and {self.simulated:,} "
            f"simulated votes fit together, {self.leaderboards:,} leaderboards were computed "
            "again and are the same. It has no seals, so what no leaderboard shows rests on "
            f"{SUMS}."
        )


def verify_release(folder: Path) -> VerifyReport:
    """Check everything about a release that its own files can show.

    Raises:
        ReleaseError: naming the file, and the vote's id or the row where one is known.
    """
    sums = _read_sums(folder)
    altered = [name for name, sha256 in sums.items() if sha256_of(folder / name) != sha256]
    formats = _formats(folder, sums)
    # An altered file still gets read: comparing it tells which vote was touched.
    tables = {schema.name: _read_agreeing(folder, schema, formats, altered) for schema in TABLES}
    check_answers(tables)
    leaderboards = check_leaderboards(tables)
    if altered:
        raise ReleaseError(f"{altered[0]} was changed: its sum is not the one in {SUMS}.")
    _check_croissant(folder, sums)
    _check_media(sums)
    return VerifyReport(
        folder=folder,
        files=len(sums),
        formats=formats,
        votes=tables["votes"].num_rows,
        simulated=tables["simulated"].num_rows,
        leaderboards=leaderboards,
    )


def _read_sums(folder: Path) -> dict[str, str]:
    """The sum of each file by its path; every file is listed and every listed file is there."""
    try:
        text = (folder / SUMS).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ReleaseError(f"{folder} is no release: it has no {SUMS} that can be read.") from error
    sums: dict[str, str] = {}
    for number, line in enumerate(text.removesuffix("\n").split("\n"), start=1):
        match = SUM_LINE.fullmatch(line)
        if match is None or _leads_out(match[2]) or match[2] in sums:
            raise ReleaseError(f"{SUMS}, row {number}: this is no sum of a file of the release.")
        sums[match[2]] = match[1]
    there = {path.relative_to(folder).as_posix(): path for path in files_in(folder)}
    del there[SUMS]
    for name, path in there.items():
        if path.is_symlink() or not path.is_file():
            raise ReleaseError(f"{name} is no plain file: a release has nothing else.")
        if name not in sums:
            raise ReleaseError(f"{name} is not listed in {SUMS}.")
    for name in (*sums, README, CROISSANT, SEALS):
        if name not in there:
            raise ReleaseError(f"{name} is missing from the release {folder}.")
    return sums


def _leads_out(name: str) -> bool:
    path = PurePosixPath(name)
    return path.is_absolute() or ".." in path.parts or "\\" in name


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
    """The table, after its formats were compared; one that has its sum is believed."""
    names = sorted((f"{schema.name}.{format_}" for format_ in formats), key=altered.__contains__)
    believed, *others = names
    table = read_table(folder / believed, schema)
    for name in others:
        other = read_table(folder / name, schema)
        if not other.equals(table):
            raise ReleaseError(_difference(name, other, believed, table))
    return table


def _difference(name: str, other: Any, believed: str, table: Any) -> str:
    """The first row in which two formats of a table part, in one sentence."""
    for number in range(min(other.num_rows, table.num_rows)):
        mine, theirs = (part.slice(number, 1).to_pylist()[0] for part in (other, table))
        for column, cell in mine.items():
            if cell != theirs[column]:
                return (
                    f"{name}, {_row(theirs, number)}: {column} is {_shown(cell)}, and "
                    f"{believed} has {_shown(theirs[column])}."
                )
    longer, shorter = (name, believed) if other.num_rows > table.num_rows else (believed, name)
    number = min(other.num_rows, table.num_rows)
    row = (other if longer == name else table).slice(number, 1).to_pylist()[0]
    return f"{longer}, {_row(row, number)}: {shorter} does not have this row."


def _row(row: dict[str, Any], number: int) -> str:
    return f"row {number + 1}" + (f" ({row['id']})" if "id" in row else "")


def _shown(cell: Any) -> str:
    text = "empty" if cell is None else repr(cell)
    return text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + "…"


def _check_croissant(folder: Path, sums: dict[str, str]) -> None:
    try:
        described = json.loads((folder / CROISSANT).read_text(encoding="utf-8"))["distribution"]
        said = {file["contentUrl"]: file["sha256"] for file in described}
    except (ValueError, KeyError, TypeError) as error:
        raise ReleaseError(f"{CROISSANT} is no description of a release.") from error
    for name, sha256 in said.items():
        if sums.get(name) != sha256:
            raise ReleaseError(f"{name} is not the file that {CROISSANT} describes.")


def _check_media(sums: dict[str, str]) -> None:
    for name, sha256 in sums.items():
        path = PurePosixPath(name)
        if path.parts[0] == MEDIA and path.stem != sha256:
            raise ReleaseError(f"{name} is not the clip that its name says.")
