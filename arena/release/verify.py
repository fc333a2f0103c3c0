"""Verifies a release from its folder alone: checksums, signatures, votes, seals and leaderboards.

The manifest says which row differs, whatever else was rewritten, and only the arena's key can sign
one; the seals say that no vote was changed since. What is not covered: a forger who signs all of a
release with another key, which is found by whoever knows the arena's key (`key`).
"""

import gc
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from arena.audit.chain import Chain, lost_after, pinned
from arena.canonical import canonical_json, sha256_hex
from arena.errors import ReleaseError
from arena.release.archive import extracted
from arena.release.checks import check_answers
from arena.release.export import (
    CROISSANT,
    MEDIA,
    README,
    SUMS,
    describe_other_answers,
    files_in,
    sha256_of,
)
from arena.release.holds import check_hold_chain, check_holds
from arena.release.manifest import (
    MANIFEST,
    Manifest,
    describe_differences,
    is_signed_by,
    read_manifest,
)
from arena.release.openings import OPENINGS, check_openings
from arena.release.recompute import check_leaderboards
from arena.release.registrations import REGISTRATIONS, check_registrations
from arena.release.schema import TABLES, TableSchema
from arena.release.seals import SEALS, check_clips, check_standings, check_votes, read_seals
from arena.release.sums import is_left_out, read_sums, top_names
from arena.release.tables import FORMATS, columns_of, read_table, rows_of, spreadsheet_name
from arena.text import pluralize

Row = dict[str, Any]

MAX_SHOWN = 60  # characters of a cell in a message


@dataclass(frozen=True)
class VerifyReport:
    """What was checked and is correct.

    Attributes:
        folder: of the release.
        files: number of files, without the list of checksums.
        formats: of the tables.
        votes: number of votes by people.
        simulated: number of simulated votes.
        leaderboards: number of leaderboards that were recomputed.
        seals: number of seals.
        claims: number of openings.
        registrations: number of registered tracks.
        skips: number of skips.
        honey: number of answers to honey pairs.
        fingerprint: of the key that signed the release.
        is_pinned: whether the key was one that the caller knows.
        left_out: what stands beside the release's files and is not checked.
        lost_keys: phrases, one for each key that was lost and replaced.
    """

    folder: Path
    files: int
    formats: tuple[str, ...]
    votes: int
    simulated: int
    leaderboards: int
    seals: int
    claims: int
    fingerprint: str
    is_pinned: bool
    left_out: tuple[str, ...] = ()
    registrations: int = 0
    skips: int = 0
    honey: int = 0
    lost_keys: tuple[str, ...] = ()

    def __str__(self) -> str:
        left_out = (
            f" Left out, because it is not part of the release: {', '.join(self.left_out)}."
            if self.left_out
            else ""
        )
        votes = pluralize(self.votes, "vote")
        others = " and ".join(describe_other_answers(skips=self.skips, honey=self.honey))
        checks = [
            f"{pluralize(self.files, 'file')} with the right checksums",
            *([f"{' and '.join(self.formats)} agree"] if len(self.formats) > 1 else []),
            f"{votes} and {pluralize(self.simulated, 'simulated vote')}"
            f"{f', beside {others},' if others else ''} are in "
            f"{pluralize(self.seals, 'signed seal')}",
            *([f"{pluralize(self.claims, 'claim')} checked"] if self.claims else []),
            *(
                [f"{pluralize(self.registrations, 'registered track')} checked"]
                if self.registrations
                else []
            ),
            f"{pluralize(self.leaderboards, 'leaderboard')} recomputed with the same result",
        ]
        pinned = (
            "as given"
            if self.is_pinned
            else "unpinned: compare it with one that you know, with --key"
        )
        lost = "".join(f" Note that {each}." for each in self.lost_keys)
        return (
            f"{self.folder} verifies: {'; '.join(checks)}. Signed by the key {self.fingerprint}, "
            f"{pinned}.{lost}{left_out}"
        )


def verify_release(folder: Path, *, key: str | None = None) -> VerifyReport:
    """Check everything about a release that its own files allow to check.

    Args:
        folder: of the release, or a ZIP archive of it.
        key: fingerprint of a key of the arena that the caller knows; an earlier key will do, since
            each signs the next one.

    Raises:
        ReleaseError: names the file and, where known, the row and the vote's id.
    """
    if not folder.is_file():
        return _verify_folder(folder, key)
    with extracted(folder, marker=SUMS) as (root, left_out):
        try:
            report = _verify_folder(root, key)
        except ReleaseError as error:
            fault = str(error).replace(str(root), str(folder))
            named = fault if str(folder) in fault else f"{folder}: {fault}"
            raise ReleaseError(named) from error
    names = tuple(top_names((*left_out, *report.left_out)))
    return replace(report, folder=folder, left_out=names)


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Leave the rows in memory alone: collections would walk through millions of cells again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@_without_garbage_collection()
def _verify_folder(folder: Path, key: str | None) -> VerifyReport:
    sums, left_out = _read_sums(folder)
    altered = [name for name, sha256 in sums.items() if sha256_of(folder / name) != sha256]
    formats = _formats(folder, sums)
    # An altered file is read all the same: comparing it shows which vote was changed.
    tables = {
        schema.name: _read_agreeing(folder, schema, formats, altered, sums) for schema in TABLES
    }
    manifest, signed, signature = read_manifest(_text(folder / MANIFEST))
    is_signed = _has_signature(folder, manifest, signed, signature)
    columns = {name: columns_of(table) for name, table in tables.items()}
    differing = _differences(manifest, columns, formats[0])
    rows = {name: rows_of(table, columns[name]) for name, table in tables.items()}
    try:
        checked = _check_content(folder, tables, rows)
    except ReleaseError as error:
        if differing is None or not is_signed:
            raise
        # The row that differs first, then what the difference breaks.
        raise ReleaseError(f"{differing}: {error}") from error
    chain = checked.chain
    if not is_signed:
        found = "" if differing is None else f"; by its hashes, {differing}"
        raise ReleaseError(f"{MANIFEST} was changed: its signature is not valid{found}.")
    if differing is not None:
        raise ReleaseError(f"{differing}.")
    if manifest.key != chain.fingerprints[-1]:
        raise ReleaseError(f"{MANIFEST} is not signed by the key in use, the last one in {SEALS}.")
    if altered:
        raise ReleaseError(f"{altered[0]} was changed: its checksum differs from {SUMS}.")
    _check_files(manifest, sums)
    _check_croissant(folder, sums)
    _check_media(sums)
    if manifest.seal != sha256_hex(canonical_json(chain.seals[-1].model_dump(exclude_unset=True))):
        raise ReleaseError(f"{SEALS} does not end with the seal that {MANIFEST} names.")
    if key is not None and not pinned(chain, key):
        lost = lost_after(chain, key)
        raise ReleaseError(
            f"The release is signed by the key {chain.fingerprints[-1]}, which does not follow "
            f"from {key}{'' if lost is None else f': {lost}'}."
        )
    return VerifyReport(
        folder=folder,
        files=len(sums),
        formats=formats,
        votes=tables["votes"].num_rows,
        simulated=tables["simulated"].num_rows,
        skips=tables["skips"].num_rows,
        honey=tables["traps"].num_rows,
        leaderboards=checked.leaderboards,
        seals=len(chain.seals),
        claims=checked.claims,
        registrations=checked.registrations,
        fingerprint=chain.fingerprints[-1],
        is_pinned=key is not None,
        left_out=tuple(left_out),
        lost_keys=tuple(str(each) for each in chain.lost),
    )


def _has_signature(folder: Path, manifest: Manifest, signed: str, signature: str) -> bool:
    """Whether the manifest is signed by a key of the release's seals; False without seals."""
    try:
        _, chain = read_seals(_text(folder / SEALS))
    except ReleaseError:
        return False
    public_key = chain.public_keys.get(manifest.key)
    return public_key is not None and is_signed_by(public_key, signed, signature)


@dataclass(frozen=True)
class _Checked:
    chain: Chain
    claims: int
    registrations: int
    leaderboards: int


def _check_content(folder: Path, tables: dict[str, Any], rows: dict[str, list[Row]]) -> _Checked:
    """Check what the files say, whatever their checksums."""
    check_answers(rows)
    check_holds(rows)
    document, chain = read_seals(_text(folder / SEALS))
    check_clips(rows["clips"])
    claims = check_openings(_text(folder / OPENINGS), rows["models"], chain)
    registrations = check_registrations(_text(folder / REGISTRATIONS), chain, rows)
    check_votes(document, chain, rows)
    check_hold_chain(document.holds, chain, rows["holds"])
    leaderboards = check_leaderboards(tables)
    check_standings(chain, rows)
    return _Checked(chain, claims, registrations, leaderboards)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ReleaseError(f"{path.name} cannot be read as text.") from error


def _differences(
    manifest: Manifest, columns: dict[str, list[list[Any]]], format_: str
) -> str | None:
    """Which rows of a table differ from the manifest, those of votes first."""
    for schema in TABLES:
        file = f"{schema.name}.{format_}"
        found = describe_differences(manifest, schema, columns[schema.name], file)
        if found is not None:
            return found
    return None


def _check_files(manifest: Manifest, sums: dict[str, str]) -> None:
    for name, sha256 in manifest.files.items():
        if name not in sums:
            raise ReleaseError(f"{name} is missing: {MANIFEST} lists it.")
        if sums[name] != sha256:
            raise ReleaseError(f"{name} was changed: its checksum differs from {MANIFEST}.")
    for name in sums:
        if name != MANIFEST and name not in manifest.files and not is_left_out(name):
            raise ReleaseError(f"{name} was added: {MANIFEST} does not list it.")


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
    for name in (*sums, README, CROISSANT, SEALS, OPENINGS, REGISTRATIONS, MANIFEST):
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
    folder: Path,
    schema: TableSchema,
    formats: tuple[str, ...],
    altered: list[str],
    sums: dict[str, str],
) -> Any:
    """Return the table after comparing its formats; a file with the right checksum is trusted."""
    names = sorted((f"{schema.name}.{format_}" for format_ in formats), key=altered.__contains__)
    if spreadsheet_name(schema.name) in sums:
        names.append(spreadsheet_name(schema.name))
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
    noun = "vote " if "battle_id" in row else ""
    return f"row {number + 1}" + (f" ({noun}{row['id']})" if "id" in row else "")


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
