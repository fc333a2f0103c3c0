"""An arena for tests with votes by people and simulated voters, and its release."""

import hashlib
import json
import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from sealed_arena import signer_of

from arena.database import Database
from arena.models import Choice
from arena.release import export_release
from arena.release.schema import TABLES
from arena.release.tables import FORMATS, read_table, write_table
from arena.simulation import simulate
from arena.voting.limits import VotingRules
from small_arena import START, TRACK, TRACK_WITH_SOUND, Booth

NOW = START + timedelta(hours=1)
PEOPLE = 5
SIMULATED_VOTES = 60
RELEASED = [schema.name for schema in TABLES]

Rows = list[dict[str, Any]]


def let_people_vote(opened: Database, *, people: int = PEOPLE, days_later: int = 0) -> None:
    """People vote in both tracks until no pair is left; every tenth time they skip."""
    rng = random.Random(days_later)
    choices = [Choice.A, Choice.A, Choice.B, Choice.B, Choice.TIE, Choice.BAD]
    for number in range(people):
        for track in (TRACK, TRACK_WITH_SOUND):
            booth = Booth(
                opened,
                key=f"{days_later}{number}".ljust(32, "f"),
                track=track,
                rules=VotingRules(watch_time=False),
            )
            booth.wait(days_later * 86_400)
            battle = booth.ask()
            while battle is not None:
                booth.wait(4)
                choice = Choice.SKIP if rng.random() < 0.1 else rng.choice(choices)
                battle = booth.cast(
                    battle.token,
                    choice,
                    watched_ms={"a": 1000, "b": 900} if rng.random() < 0.5 else None,
                    first="a",
                    reasons=["motion", "picture"],
                ).next


def let_simulated_voters_vote(opened: Database, votes: int = SIMULATED_VOTES) -> None:
    simulate(opened, votes=votes, track=None, voters=5, seed=1, now=START, on_vote=lambda: None)


def release(opened: Database, folder: Path, **options: Any) -> Path:
    defaults: dict[str, Any] = {"formats": FORMATS, "now": NOW, "salt": b"known"}
    defaults["signer"] = signer_of(opened)
    export_release(opened, folder, **{**defaults, **options})
    return folder


def read_rows(folder: Path, name: str, format_: str = "parquet") -> Rows:
    schema = next(schema for schema in TABLES if schema.name == name)
    rows: Rows = read_table(folder / f"{name}.{format_}", schema).to_pylist()
    return rows


def rewrite(
    folder: Path, name: str, change: Callable[[Rows], object], *, formats: tuple[str, ...] = FORMATS
) -> None:
    """Change the rows of a table in some of its formats, without updating checksums."""
    schema = next(schema for schema in TABLES if schema.name == name)
    rows = read_rows(folder, name)
    change(rows)
    for format_ in formats:
        write_table(
            pa.Table.from_pylist(rows, schema=schema.arrow_schema), folder / f"{name}.{format_}"
        )


def forge_sums(folder: Path) -> None:
    """Make croissant.json and SHA256SUMS match the current files."""
    path = folder / "croissant.json"
    croissant = json.loads(path.read_text())
    for file in croissant["distribution"]:
        file["sha256"] = _sha256(folder / file["contentUrl"])
    path.write_text(json.dumps(croissant))
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    lines = [
        f"{_sha256(file)}  {file.relative_to(folder).as_posix()}\n"
        for file in files
        if file.name != "SHA256SUMS"
    ]
    (folder / "SHA256SUMS").write_text("".join(lines))


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
