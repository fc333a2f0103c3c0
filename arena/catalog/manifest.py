"""Reads an import manifest: a CSV file that lists clips made elsewhere."""

import csv
from dataclasses import dataclass
from pathlib import Path

from arena.errors import ProductionError

REQUIRED = ("entrant", "prompt_id", "track", "path")  # `seed` is optional


@dataclass(frozen=True)
class ImportRow:
    """One row of an import manifest; `number` counts rows from 1."""

    number: int
    entrant: str
    prompt_id: str
    track: str
    path: Path
    seed: int


def read_manifest(path: Path) -> list[ImportRow]:
    """Read an import manifest; paths of clips are relative to it.

    Raises:
        ProductionError: names the file and, where known, the row (from 1) and column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            columns = set(reader.fieldnames or ())
            records = list(reader)
    except OSError as error:
        raise ProductionError(f"{path} cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ProductionError(f"{path} is not a CSV table: {error}.") from error
    if missing := [key for key in REQUIRED if key not in columns]:
        raise ProductionError(
            f"{path} has no column '{missing[0]}': a manifest needs entrant, prompt_id, "
            "track and path, and may have seed."
        )
    rows = []
    for number, record in enumerate(records, start=1):
        seed = (record.get("seed") or "0").strip()
        if not seed.isdigit():
            raise ProductionError(f"{path}, row {number}: the seed '{seed}' is not a whole number.")
        empty = [key for key in REQUIRED if not record.get(key)]
        if empty:
            raise ProductionError(f"{path}, row {number}: the column '{empty[0]}' is empty.")
        rows.append(
            ImportRow(
                number=number,
                entrant=record["entrant"],
                prompt_id=record["prompt_id"],
                track=record["track"],
                path=path.parent / record["path"],
                seed=int(seed),
            )
        )
    return rows
