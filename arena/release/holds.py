"""The ledger of holds in a release: written from the database, and checked against the votes.

Seals cover the events of all tracks. A release has the hashes of those that it does not contain.
"""

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from arena.audit.chain import Chain
from arena.audit.merkle import HASH_BYTES
from arena.canonical import instant_text, sha256_hex
from arena.errors import ReleaseError
from arena.holds.ledger import EMPTY_CHAIN, Event, event_text, next_link, read_events, text_of
from arena.holds.status import holding_rule
from arena.models import HoldKind, HoldRule

if TYPE_CHECKING:
    from arena.release.seals import OtherLeaves

Row = dict[str, Any]


# --- writing --------------------------------------------------------------------------------------


def last_events(session: Session, up_to: int) -> dict[int, Event]:
    """Return the last event about each vote, of those up to a number."""
    return {event.vote_id: event for event in read_events(session, up_to=up_to)}


def hold_rows(session: Session, up_to: int, votes: Iterable[Row]) -> list[Row]:
    """Return the rows of `holds.*`: the events up to a number about these votes."""
    contained = {row["id"] for row in votes}
    return [
        {
            **{"number": event.number, "vote_id": str(event.vote_id), "kind": event.kind.value},
            **{"rule": event.rule, "version": event.version, "reason": event.reason},
            **{"author": event.author, "at": instant_text(event.at)},
        }
        for event in read_events(session, up_to=up_to)
        if str(event.vote_id) in contained
    ]


def other_events(session: Session, contained: set[int]) -> dict[str, Any]:
    """Return numbers and hashes of the events that a release does not contain."""
    runs: list[list[int]] = []
    hashes = b""
    for event in read_events(session):
        if event.number in contained:
            continue
        if runs and sum(runs[-1]) == event.number:
            runs[-1][1] += 1
        else:
            runs.append([event.number, 1])
        hashes += bytes.fromhex(sha256_hex(text_of(event)))
    return {"runs": runs, "hashes": base64.b64encode(hashes).decode()}


# --- checking -------------------------------------------------------------------------------------


class HoldHistory:
    """Which votes of a release were held when.

    Args:
        rows: of `holds.*`.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows
        self._known: dict[int, frozenset[int]] = {}

    def held(self, up_to: int) -> frozenset[int]:
        """Numbers of the votes that the events up to a number hold."""
        if up_to not in self._known:
            last = {
                int(row["vote_id"]): holding_rule(row["kind"], row["rule"])
                for row in self._rows
                if row["number"] <= up_to
            }
            self._known[up_to] = frozenset(vote for vote, rule in last.items() if rule is not None)
        return self._known[up_to]


def check_holds(tables: Mapping[str, Sequence[Row]]) -> None:
    """Check that the events are in order and about votes, and that votes are counted accordingly.

    Raises:
        ReleaseError: names the vote.
    """
    votes = {row["id"]: row for name in ("votes", "simulated") for row in tables[name]}
    before = 0
    last: dict[str, Row] = {}
    for number, row in enumerate(tables["holds"], start=1):
        where = f"holds.*, row {number} (vote {row['vote_id']})"
        if None in row.values():
            raise ReleaseError(f"{where}: a cell is empty.")
        if row["number"] <= before:
            raise ReleaseError(
                f"{where}: event {row['number']} follows event {before}, so a row was moved or "
                "repeated."
            )
        if row["kind"] not in list(HoldKind):
            raise ReleaseError(f"{where}: kind is {row['kind']!r}.")
        if row["vote_id"] not in votes:
            raise ReleaseError(f"{where}: neither votes.* nor simulated.* has this vote.")
        before = row["number"]
        last[row["vote_id"]] = row
    audio = {row["track"]: row["audio"] for row in tables["tracks"]}
    for name in ("votes", "simulated"):
        for number, row in enumerate(tables[name], start=1):
            fault = _fault(row, last.get(row["id"]), has_sound=bool(audio.get(row["track"])))
            if fault:
                raise ReleaseError(f"{name}.*, row {number} (vote {row['id']}): {fault}.")


def _fault(row: Row, last: Row | None, *, has_sound: bool) -> str:
    """What is wrong with `counted` and `hold_rule` of a vote; empty: nothing."""
    rule = row["hold_rule"]
    if rule == HoldRule.PICTURE_ONLY:
        if row["counted"]:
            return f"it is counted, but hold_rule is {rule!r}"
        return "" if has_sound else f"hold_rule is {rule!r} in a track without sound"
    expected = None if last is None else holding_rule(last["kind"], last["rule"])
    if row["counted"] != (expected is None):
        said = "counted" if row["counted"] else "not counted"
        ledger = f"holds it by the rule {expected!r}" if expected else "does not hold it"
        return f"it is {said}, but the ledger, holds.*, {ledger}"
    if rule != expected:
        return f"hold_rule is {rule!r}, but the ledger, holds.*, says {expected!r}"
    return ""


def check_hold_chain(others: "OtherLeaves", chain: Chain, rows: Sequence[Row]) -> None:
    """Check that the seals cover the events as they are.

    Args:
        others: hashes of the sealed events that the release does not contain.
        chain: of the seals.
        rows: of `holds.*`, in order.

    Raises:
        ReleaseError: names the event and its vote, or the seal and its events.
    """
    hashes = _other_hashes(others)
    contained = {row["number"]: row for row in rows}
    last = chain.seals[-1].holds.events
    for number, row in contained.items():
        if number > last:
            raise ReleaseError(
                f"holds.*: event {number} (vote {row['vote_id']}) is in no seal: it was added."
            )
        if number in hashes:
            raise ReleaseError(
                f"holds.*: event {number} (vote {row['vote_id']}) is also among the events that "
                "the release does not contain."
            )
    link, number = EMPTY_CHAIN, 0
    for seal in chain.seals:
        named: list[str] = []
        while number < seal.holds.events:
            number += 1
            found = contained.get(number)
            sha256 = hashes.get(number) if found is None else sha256_hex(_text(found))
            if sha256 is None:
                raise ReleaseError(f"holds.*: event {number} is missing: it was dropped.")
            if found is not None:
                named.append(f"{number} (vote {found['vote_id']})")
            link = next_link(link, sha256)
        if link != seal.holds.sha256:
            which = f"one of the events {', '.join(named[:10])}" if named else "another event"
            raise ReleaseError(
                f"holds.*: the events do not give the chain of seal {seal.number}: {which} was "
                "changed."
            )


def _text(row: Row) -> str:
    return event_text(
        number=str(row["number"]),
        vote=row["vote_id"],
        kind=row["kind"],
        rule=row["rule"],
        version=row["version"],
        reason=row["reason"],
        author=row["author"],
        at=row["at"],
    )


def _other_hashes(others: "OtherLeaves") -> dict[int, str]:
    """Hashes of the events that the release does not contain, by number."""
    try:
        data = base64.b64decode(others.hashes, validate=True)
    except ValueError as error:
        raise ReleaseError("seals.json: hashes of hold events are not in base64.") from error
    numbers = [first + step for first, count in others.runs for step in range(count)]
    if len(data) != HASH_BYTES * len(numbers):
        raise ReleaseError("seals.json: there is not one hash for each other hold event.")
    parts = (data[at : at + HASH_BYTES].hex() for at in range(0, len(data), HASH_BYTES))
    return dict(zip(numbers, parts, strict=True))
