"""Reads an import manifest: a CSV file that lists clips made elsewhere."""

from dataclasses import dataclass
from pathlib import Path

from arena.catalog.tables import parse_whole_number, read_csv_table
from arena.errors import ProductionError

REQUIRED = ("entrant", "prompt_id", "track", "path")
SEED = "seed"  # optional, 0 if empty


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
    table = read_csv_table(path, error=ProductionError)
    if missing := [key for key in REQUIRED if key not in table.columns]:
        raise ProductionError(
            f"{path} has no column '{missing[0]}': a manifest needs entrant, prompt_id, "
            "track and path, and may have seed."
        )
    if unknown := [key for key in table.columns if key not in (*REQUIRED, SEED)]:
        raise ProductionError(
            f"{path} has an unknown column '{unknown[0]}': the columns are entrant, prompt_id, "
            "track, path and seed."
        )
    rows: list[ImportRow] = []
    first_row: dict[tuple[str, ...], int] = {}
    for number, record in enumerate(table.rows, start=1):
        empty = [key for key in REQUIRED if not record[key]]
        if empty:
            raise ProductionError(f"{path}, row {number}: the column '{empty[0]}' is empty.")
        text = record.get(SEED) or "0"
        seed = parse_whole_number(text)
        if seed is None:
            raise ProductionError(
                f"{path}, row {number}: the seed '{text[:40]}' is not a whole number."
            )
        clip = (record["entrant"], record["prompt_id"], record["track"], str(seed))
        other = first_row.setdefault(clip, number)
        if other != number:
            raise ProductionError(
                f"{path}, row {number}: row {other} is of the same entrant, prompt, track and seed."
            )
        rows.append(
            ImportRow(
                number=number,
                entrant=record["entrant"],
                prompt_id=record["prompt_id"],
                track=record["track"],
                path=path.parent / record["path"],
                seed=seed,
            )
        )
    return rows
