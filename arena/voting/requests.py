"""What voters ask for, and what they are answered: see `answering`."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from arena.errors import ArenaError, MalformedVote
from arena.voting.limits import VotingRules
from arena.voting.schemas import CastVote, IssuedBattle, VoteForm


@dataclass(frozen=True)
class BattleRequest:
    """A voter asks for a battle.

    Attributes:
        voter_key: the voter's; a new one is stored as a visitor.
        track_name: of the battle.
        category: of the next battle that opens; the open one stays. None for all prompts.
        rules: for this voter.
        now: when the request arrived; aware.
        address: of the client; None: not known.
    """

    voter_key: str
    track_name: str
    category: str | None
    rules: VotingRules
    now: datetime
    address: str | None = None


@dataclass(frozen=True)
class VoteRequest:
    """A voter answers a battle.

    Attributes:
        voter_key: the voter's.
        token: the battle's.
        form: the vote, or why it could not be parsed.
        rules: for this voter.
        now: when the vote arrived; aware.
        address: of the client; None: not known.
    """

    voter_key: str
    token: str
    form: VoteForm | MalformedVote
    rules: VotingRules
    now: datetime
    address: str | None = None


BallotRequest = BattleRequest | VoteRequest
Answer = IssuedBattle | CastVote | ArenaError
Expected = TypeVar("Expected", IssuedBattle, CastVote)


def expect(kind: type[Expected], answer: Answer) -> Expected:
    """Return an answer of the kind that belongs to its request; raise it if it is an error."""
    if isinstance(answer, ArenaError):
        raise answer
    if not isinstance(answer, kind):
        raise TypeError(f"the answer is {type(answer).__name__}, not {kind.__name__}")
    return answer
