"""Keeps the arrays of all votes in a file, so that a restart reads only the votes since.

The file may be lost, cut short or old without harm: one that is not of this version and of this
database's votes is ignored, and the votes are read from the database again.
"""

import json
import logging
import os
import time
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from arena.files import atomic_write
from arena.models import HoldEvent, Vote, VoterKind
from arena.standings.vote_arrays import REPEAT_COLUMNS, VOTE_COLUMNS, Columns, Pool, VoteArrays
from arena.standings.vote_reader import GIVE_UP_S

FILE_NAME = "votes.npz"  # in ARENA_HOME
VERSION = 2  # of the columns and their codes
_FAULTS = (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile)

log = logging.getLogger(__name__)


def save_arrays(path: Path, arrays: VoteArrays, session: Session) -> None:
    """Write the arrays aside and rename the file; a failure is logged and changes nothing."""
    values: dict[str, Any] = {}
    pools = []
    for number, ((track_id, voters), pool) in enumerate(arrays.pools.items()):
        pools.append([track_id, voters.value, list(pool.picture_only.items())])
        for name, columns in (("votes", pool.votes), ("repeats", pool.repeats)):
            values |= {f"{number}-{name}-{key}": each for key, each in columns.arrays().items()}
    header = {
        **{"version": VERSION, "watermark": arrays.watermark, "gaps": list(arrays.gaps)},
        **{"entrants": arrays.entrants, "prompts": arrays.prompts, "pools": pools},
        **{"events": arrays.events, "rules": arrays.rules, "pending": list(arrays.pending.items())},
        "identity": _identity(session, arrays.watermark, arrays.events),
    }
    try:
        with atomic_write(path) as draft:
            with draft.open("wb") as file:
                np.savez(file, header=np.array(json.dumps(header)), **values)
                file.flush()
                os.fsync(file.fileno())
    except OSError as error:
        log.warning("The votes cannot be kept in %s (%s).", path, error.strerror or error)


def load_arrays(path: Path, session: Session) -> VoteArrays | None:
    """Read the arrays of this database's votes; None if there is no file of them."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            header = json.loads(str(stored["header"]))
            if header["version"] != VERSION or not header["watermark"]:
                return None
            if header["identity"] != _identity(session, header["watermark"], header["events"]):
                return None
            pools = {
                (int(track_id), VoterKind(voters)): _pool(stored, number, picture_only)
                for number, (track_id, voters, picture_only) in enumerate(header["pools"])
            }
            until = time.monotonic() + GIVE_UP_S
            return VoteArrays(
                watermark=int(header["watermark"]),
                gaps=dict.fromkeys(map(int, header["gaps"]), until),
                entrants=[int(number) for number in header["entrants"]],
                prompts=[str(key) for key in header["prompts"]],
                pools=pools,
                events=int(header["events"]),
                rules=[str(rule) for rule in header["rules"]],
                pending={int(vote): str(rule) for vote, rule in header["pending"]},
            )
    except FileNotFoundError:
        return None
    except _FAULTS as error:
        log.warning("%s is not read (%s): the votes are read again.", path, type(error).__name__)
        return None


def _pool(stored: Any, number: int, picture_only: list[list[int]]) -> Pool:
    def columns(name: str, types: dict[str, Any]) -> Columns:
        arrays = {key: stored[f"{number}-{name}-{key}"] for key in types}
        if len({len(each) for each in arrays.values()}) != 1:
            raise ValueError("columns of different lengths")
        return Columns(types, arrays)

    counted = Counter({int(prompt): int(votes) for prompt, votes in picture_only})
    return Pool(columns("votes", VOTE_COLUMNS), columns("repeats", REPEAT_COLUMNS), counted)


def _identity(session: Session, watermark: int, events: int) -> list[Any]:
    """What no other database has: receipts are random, and neither votes nor events change."""
    first = select(func.min(Vote.id)).scalar_subquery()
    query = select(Vote.id, Vote.receipt).where(Vote.id.in_([watermark]) | (Vote.id == first))
    last_event = session.scalar(select(HoldEvent.sha256).where(HoldEvent.number == events))
    receipts = [[number, receipt] for number, receipt in session.execute(query.order_by(Vote.id))]
    return [*receipts, last_event]
