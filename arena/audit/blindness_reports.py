"""The last audit of blindness of each track, kept in ARENA_HOME for the releases."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from arena.files import atomic_write

FOLDER = "blindness"


def store_report(home: Path, report: dict[str, Any]) -> None:
    """Keep a track's report, instead of the one before.

    Args:
        home: ARENA_HOME.
        report: as `blindness.as_json` returns it.
    """
    folder = home / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(folder / f"{report['track']}.json") as draft:
        draft.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def read_reports(home: Path, tracks: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the last report of each of these tracks that has one, by name."""
    reports = {}
    for track in tracks:
        try:
            reports[track] = json.loads((home / FOLDER / f"{track}.json").read_text("utf-8"))
        except (OSError, ValueError):
            continue
    return reports
