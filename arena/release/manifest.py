"""The signed manifest of a release: the hash of every file, and of every row of every table.

The hashes of rows say which row was changed, dropped, added or moved, whatever else was rewritten;
the signature over all of it is one that only the arena's key can make.
"""

import base64
import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from arena.audit.keys import RELEASE_DOMAIN, Signer, is_signed
from arena.canonical import canonical_json
from arena.errors import ReleaseError
from arena.release.schema import TableSchema
from arena.release.tables import columns_of
from arena.text import pluralize
from arena.validation import first_problem

MANIFEST = "manifest.json"
VERSION = 1
ROW_BYTES = 8  # of a row's SHA-256: enough to say which row differs; `sha256` covers all of them
HASH = r"^[0-9a-f]{64}$"
MAX_NAMED = 20  # rows in one message
KEY = "id"  # the column whose value names a row
_encode = json.JSONEncoder(separators=(",", ":")).encode
# How JSON has values of a type; any other is encoded as a whole.
_TEXT_OF: dict[type, Callable[[Any], str]] = {
    str: json.encoder.encode_basestring_ascii,
    int: int.__repr__,
    bool: {True: "true", False: "false"}.__getitem__,
    float: lambda cell: float.__repr__(cell) if math.isfinite(cell) else _encode(cell),
}
_NULL = "null"


class TableHashes(BaseModel):
    """A table: its rows by their ids, if they have any, and by their hashes."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    rows: int = Field(ge=0)
    sha256: str = Field(pattern=HASH)
    ids: list[str | None] | None
    row_hashes: str


class Manifest(BaseModel):
    """What a release states of itself, and signs."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    version: int = Field(ge=1, le=1)
    made_at: str
    key: str = Field(pattern=HASH)
    watermark: str
    tracks: list[str]
    seal: str = Field(pattern=HASH)
    files: dict[str, str]
    tables: dict[str, TableHashes]


@dataclass(frozen=True)
class TableRows:
    """The hashes of a table's rows as they are in a release.

    Attributes:
        ids: by which rows are named; None: they have none.
        hashes: the first `ROW_BYTES` of each row's SHA-256.
        sha256: over the whole SHA-256 of every row.
    """

    ids: list[str | None] | None
    hashes: list[bytes]
    sha256: str


def hash_rows(names: Sequence[str], columns: Sequence[list[Any]]) -> TableRows:
    """Hash a table row by row: the SHA-256 of the JSON list of its cells, in order."""
    # Cells are encoded by column, which is several times faster than row by row.
    texts = [_json_cells(column) for column in columns]
    sha256 = hashlib.sha256
    digests = [sha256(f"[{','.join(row)}]".encode()).digest() for row in zip(*texts, strict=True)]
    hashes = [digest[:ROW_BYTES] for digest in digests]
    ids = columns[names.index(KEY)] if KEY in names else None
    return TableRows(ids, hashes, sha256(b"".join(digests)).hexdigest())


def _json_cells(cells: list[Any]) -> list[str]:
    """The JSON of each cell of a column."""
    types = set(map(type, cells))
    has_null = type(None) in types
    types.discard(type(None))
    (kind,) = types if len(types) == 1 else (object,)
    encode = _TEXT_OF.get(kind, _encode)
    if kind is float:
        distinct = set(cells)
        # 0.0 and -0.0 are equal, and have different texts.
        if len(distinct) < len(cells) / 10 and 0.0 not in distinct:
            text_of = {cell: _NULL if cell is None else encode(cell) for cell in distinct}
            return [text_of[cell] for cell in cells]
    if has_null:
        return [_NULL if cell is None else encode(cell) for cell in cells]
    return list(map(encode, cells))


def make_manifest(
    tables: Mapping[str, Any],
    files: Mapping[str, str],
    *,
    signer: Signer,
    seal: str,
    watermark: int,
    tracks: Sequence[str],
    made_at: str,
) -> str:
    """Return the text of the manifest.

    Args:
        tables: Arrow tables by name.
        files: SHA-256 of every file but the manifest and the list of checksums, by path.
        signer: the key in use.
        seal: hash of the last seal that the release has.
        watermark: id of the newest vote.
        tracks: names.
        made_at: ISO 8601, UTC.
    """
    hashed = {
        name: hash_rows(table.column_names, columns_of(table)) for name, table in tables.items()
    }
    manifest = {
        "version": VERSION,
        "made_at": made_at,
        "key": signer.fingerprint,
        "watermark": str(watermark),
        "tracks": list(tracks),
        "seal": seal,
        "files": dict(files),
        "tables": {
            name: {
                "rows": len(rows.hashes),
                "sha256": rows.sha256,
                "ids": rows.ids,
                "row_hashes": base64.b64encode(b"".join(rows.hashes)).decode(),
            }
            for name, rows in hashed.items()
        },
    }
    signature = signer.sign(RELEASE_DOMAIN, canonical_json(manifest))
    document = {"manifest": manifest, "signature": signature}
    return json.dumps(document, sort_keys=True, separators=(",", ":")) + "\n"


def read_manifest(text: str) -> tuple[Manifest, str, str]:
    """Return a manifest, the text that is signed, and the signature.

    Raises:
        ReleaseError: it is not a manifest.
    """
    try:
        document = json.loads(text)
        signed = canonical_json(document["manifest"])
        return Manifest.model_validate(document["manifest"]), signed, str(document["signature"])
    except ValidationError as error:
        problem = first_problem(error)
        raise ReleaseError(
            f"{MANIFEST} is not a manifest: {problem.location}: {problem.message}."
        ) from error
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ReleaseError(f"{MANIFEST} is not a manifest.") from error


def is_signed_by(public_key: str, signed: str, signature: str) -> bool:
    """Whether the manifest's text was signed by a key, given in hexadecimal."""
    return is_signed(public_key, RELEASE_DOMAIN, signed, signature)


def describe_differences(
    manifest: Manifest, schema: TableSchema, columns: Sequence[list[Any]], file: str
) -> str | None:
    """Return which rows of a table differ from the manifest, as a phrase; None if none do.

    Args:
        manifest: of the release.
        schema: of the table.
        columns: the table's cells as they were read.
        file: that it was read from.
    """
    expected = manifest.tables.get(schema.name)
    if expected is None:
        return f"{MANIFEST} does not know the table {schema.name}"
    found = hash_rows(schema.names, columns)
    if found.sha256 == expected.sha256:
        return None
    known = _split(expected.row_hashes)
    if expected.ids is None or found.ids is None:
        of_votes = columns[schema.names.index("vote_id")] if "vote_id" in schema.names else None
        return _by_position(found.hashes, known, file, of_votes)
    noun = "vote " if _is_of_votes(schema) else ""
    faults = _by_id(found, expected.ids, known)
    named = [
        f"row {position + 1} ({noun}{row_id}) was {what}"
        for position, row_id, what in faults[:MAX_NAMED]
    ]
    if not named:
        return f"{file} differs from {MANIFEST}, whose hashes of rows were changed"
    more = len(faults) - len(named)
    rest = f", and {pluralize(more, 'more row')}" if more else ""
    return f"{file}, {'; '.join(named)}{rest}"


def _is_of_votes(schema: TableSchema) -> bool:
    return "battle_id" in schema.names


def _split(row_hashes: str) -> list[bytes]:
    try:
        joined = base64.b64decode(row_hashes, validate=True)
    except ValueError:
        return []
    return [joined[at : at + ROW_BYTES] for at in range(0, len(joined), ROW_BYTES)]


def _by_id(
    found: TableRows, ids: Sequence[str | None], known: Sequence[bytes]
) -> list[tuple[int, str | None, str]]:
    """Position, id and fault of each row that differs, in order; a dropped row where it was."""
    here = found.ids or []
    hash_of = dict(zip(ids, known, strict=False))
    expected_at = {row_id: position for position, row_id in enumerate(ids)}
    count = Counter(here)
    faults: list[tuple[int, str | None, str]] = []
    seen: set[str | None] = set()
    for position, (row_id, value) in enumerate(zip(here, found.hashes, strict=True)):
        if row_id not in expected_at:
            faults.append((position, row_id, "added"))
        elif row_id in seen:
            faults.append((position, row_id, "repeated"))
        elif hash_of[row_id] != value and count[row_id] == 1:
            faults.append((position, row_id, "changed"))
        seen.add(row_id)
    faults += [(expected_at[each], each, "dropped") for each in ids if each not in count]
    if not faults:  # the same rows in another order
        faults = [
            (position, row_id, "moved")
            for position, (row_id, other) in enumerate(zip(here, ids, strict=False))
            if row_id != other
        ]
    return sorted(faults, key=lambda fault: fault[0])


def _by_position(
    found: Sequence[bytes], known: Sequence[bytes], file: str, votes: Sequence[Any] | None
) -> str:
    """The first row that differs, of a table whose rows have no ids, and the vote that it names."""
    for position, (row, expected) in enumerate(zip(found, known, strict=False)):
        if row != expected:
            what = "was changed, dropped, added or moved"
            if len(found) == len(known) and Counter(found) != Counter(known):
                what = "was changed"
            vote = "" if votes is None else f" (vote {votes[position]})"
            return f"{file}, row {position + 1}{vote} {what}"
    if len(found) == len(known):
        return f"{file} differs from {MANIFEST}, whose hashes of rows were changed"
    what = "was dropped" if len(found) < len(known) else "was added"
    return f"{file}, row {min(len(found), len(known)) + 1} {what}"
