"""Checks the ledger of holds against the seals, and names each event that was changed or removed.

An event's hash is stored with it, and the signed chain covers the hashes. If a hash was changed
together with its event, the chain still differs, and the events of that seal are named.
"""

from collections.abc import Iterator, Sequence

from sqlalchemy.orm import Session

from arena.audit.chain import SealPayload
from arena.canonical import sha256_hex
from arena.holds.ledger import EMPTY_CHAIN, Event, next_link, read_events, text_of

BATCH = 10_000


def check_hold_events(session: Session, seals: Sequence[SealPayload]) -> Iterator[str]:
    """Yield a sentence for each event of the ledger that is not as it was sealed.

    Args:
        session: only reads.
        seals: of a chain that was checked, in order.
    """
    yield from _check_before(session)
    link, number = EMPTY_CHAIN, 0
    for seal in seals:
        first = number + 1
        faults: list[str] = []
        stored = {event.number: event for event in _read(session, number, seal.holds.events)}
        for number in range(first, seal.holds.events + 1):
            event = stored.get(number)
            if event is None:
                faults.append(
                    f"Hold event {number} is in seal {seal.number}, and the database does not "
                    "have it: it was dropped."
                )
                continue
            if sha256_hex(text_of(event)) != event.sha256:
                faults.append(
                    f"Hold event {number} (vote {event.vote_id}) differs from what seal "
                    f"{seal.number} covers: it was changed."
                )
            link = next_link(link, event.sha256)
        yield from faults
        if link != seal.holds.sha256 and not faults:
            votes = sorted({event.vote_id for event in stored.values()})
            named = ", ".join(str(vote) for vote in votes[:10])
            yield (
                f"The chain of hold events in seal {seal.number} is another one: one of the events "
                f"{first} to {number} (votes {named}) was changed together with its hash."
            )
        # What is reported is not reported again for the seals that follow.
        link, number = seal.holds.sha256, max(number, seal.holds.events)
    for event in _read(session, number, None):
        if sha256_hex(text_of(event)) != event.sha256:
            yield (
                f"Hold event {event.number} (vote {event.vote_id}), which is not sealed yet, does "
                "not have its own hash: it was changed."
            )


def _check_before(session: Session) -> Iterator[str]:
    """Events are numbered from 1 on."""
    for event in read_events(session, after=-(1 << 62), up_to=0):
        yield f"Hold event {event.number} (vote {event.vote_id}) is not in any seal: it was added."


def _read(session: Session, after: int, up_to: int | None) -> Iterator[Event]:
    while batch := read_events(session, after=after, up_to=up_to, limit=BATCH):
        yield from batch
        after = batch[-1].number
