"""Whether a vote counts: the one function that answers, receipts, own votes and releases use.

Standings, which read all votes at once (`standings.vote_reader`), apply the same functions.

A skip never counts. A vote on a honey pair, and one that was cast without hearing both clips of a
track with sound, is held by that fact. For every other vote, the last event of the ledger decides;
without one it counts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from arena.holds.ledger import Event, last_events
from arena.holds.rules import RULES
from arena.models import HONEY, Battle, Choice, HoldKind, HoldRule, Vote, VoteStatus


@dataclass(frozen=True)
class Verdict:
    """Whether a vote counts.

    Attributes:
        status: counted, held or skipped.
        rule: that holds it; None: it is not held.
        reason: the sentence that is public; None: it is not held.
    """

    status: VoteStatus
    rule: str | None = None
    reason: str | None = None

    @property
    def hold(self) -> dict[str, str] | None:
        """Rule and reason, as the API shows them; None: the vote is not held."""
        if self.rule is None or self.reason is None:
            return None
        return {"rule": self.rule, "reason": self.reason}


_COUNTED, _SKIPPED = Verdict(VoteStatus.COUNTED), Verdict(VoteStatus.SKIPPED)
_PICTURE_ONLY, _HONEY_PAIR = (
    Verdict(VoteStatus.HELD, rule.value, RULES[rule].reason)
    for rule in (HoldRule.PICTURE_ONLY, HoldRule.HONEY_PAIR)
)
# Rules that hold a vote by what it is: no event of the ledger changes that.
BY_FACT = frozenset({HoldRule.PICTURE_ONLY.value, HoldRule.HONEY_PAIR.value})
_IN = 500  # numbers in one query; databases limit parameters


def judge(
    choice: Choice, *, picture_only: bool, sampler: str, last: Event | None = None
) -> Verdict:
    """Return whether a vote counts.

    Args:
        choice: of the vote.
        picture_only: whether it was cast without hearing both clips of a track with sound.
        sampler: of the battle.
        last: the last event of the ledger about the vote; None: there is none.
    """
    if choice is Choice.SKIP:
        return _SKIPPED
    if sampler == HONEY:
        return _HONEY_PAIR
    if picture_only:
        return _PICTURE_ONLY
    if last is None or (rule := holding_rule(last.kind, last.rule)) is None:
        return _COUNTED
    return Verdict(VoteStatus.HELD, rule, last.reason)


def holding_rule(kind: str, rule: str) -> str | None:
    """Return the rule that holds a vote after its last event; None: it counts.

    Args:
        kind: of the event, a `HoldKind`.
        rule: of the event.
    """
    return rule if kind == HoldKind.HOLD else None


def judge_votes(session: Session, votes: Iterable[Vote]) -> dict[int, Verdict]:
    """Return whether each of these stored votes counts, by its number."""
    votes = list(votes)
    events = last_events(session, [vote.id for vote in votes])
    samplers = _samplers(session, [vote.battle_id for vote in votes])
    return {
        vote.id: judge(
            vote.choice,
            picture_only=vote.picture_only,
            sampler=samplers[vote.battle_id],
            last=events.get(vote.id),
        )
        for vote in votes
    }


def _samplers(session: Session, battle_ids: Sequence[int]) -> dict[int, str]:
    found: dict[int, str] = {}
    query = select(Battle.id, Battle.sampler)
    for at in range(0, len(battle_ids), _IN):
        part = query.where(Battle.id.in_(battle_ids[at : at + _IN]))
        found |= dict(session.execute(part).all())
    return found
