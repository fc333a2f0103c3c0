"""Whether a vote counts: the one function that answers, receipts, own votes and releases use.

Standings, which read all votes at once (`standings.vote_reader`), apply the same functions.

A skip never counts. A vote that was cast without hearing both clips of a track with sound is held
by that fact. For every other vote, the last event of the ledger decides; without one it counts.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from arena.holds.ledger import Event, last_events
from arena.holds.rules import RULES
from arena.models import Choice, HoldKind, HoldRule, Vote, VoteStatus


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
_PICTURE_ONLY = Verdict(
    VoteStatus.HELD, HoldRule.PICTURE_ONLY.value, RULES[HoldRule.PICTURE_ONLY].reason
)


def judge(choice: Choice, *, picture_only: bool, last: Event | None = None) -> Verdict:
    """Return whether a vote counts.

    Args:
        choice: of the vote.
        picture_only: whether it was cast without hearing both clips of a track with sound.
        last: the last event of the ledger about the vote; None: there is none.
    """
    if choice is Choice.SKIP:
        return _SKIPPED
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
    return {
        vote.id: judge(vote.choice, picture_only=vote.picture_only, last=events.get(vote.id))
        for vote in votes
    }
