"""Withdraws a vote that its voter has just cast by mistake, while no name was shown.

The vote stays, and an event of the ledger holds it: nothing is deleted. Once names were shown, a
vote cannot be withdrawn, or voters could look first and take back what does not suit them.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from arena.catalog.index import catalog_index
from arena.errors import BattleExpired, NotFound, NotWithdrawable
from arena.holds.ledger import NewEvent, add_events, last_events
from arena.holds.rules import RULES
from arena.holds.status import Verdict, judge
from arena.models import HONEY, Choice, HoldKind, HoldRule
from arena.voting import battles
from arena.voting.limits import CLOCK_TOLERANCE, VotingRules, check_withdrawals
from arena.voting.reveals import reveals
from arena.voting.voters import read_voters

WITHDRAW_S = 10  # after the vote was stored
# A voter presses the key at the end of the ten seconds, and the request takes a moment.
TRAVEL_S = 1
AUTHOR = "voter"


@dataclass(frozen=True)
class WithdrawnVote:
    """A vote that does not count any more.

    Attributes:
        choice: that was withdrawn.
        receipt: of the vote, which stays valid.
        verdict: that it is held, and why.
    """

    choice: Choice
    receipt: str
    verdict: Verdict


def withdraw_vote(
    session: Session, *, voter_key: str, token: str, rules: VotingRules, now: datetime
) -> WithdrawnVote:
    """Withdraw the vote of a battle; repeating it returns the same.

    Args:
        session: in a transaction that writes.
        voter_key: the voter's.
        token: the battle's.
        rules: for this voter.
        now: when the request arrived; aware.

    Raises:
        NotFound: unknown token, that of another voter, or no vote.
        NotWithdrawable: a skip, a honey pair, the track is closed, or the models' names were shown.
        BattleExpired: the vote is older than ten seconds.
        TooMany: the voter withdrew or skipped too many.
    """
    voter = read_voters(session, [voter_key]).get(voter_key)
    battle, vote = battles.read_by_token(session, [token]).get(token, (None, None))
    if voter is None or battle is None or battle.voter_id != voter.id or vote is None:
        raise NotFound("You have no vote on a battle with this token.")
    choice: Choice = vote["choice"]
    last = last_events(session, [vote["id"]]).get(vote["id"])
    if last is None or last.rule != HoldRule.WITHDRAWN:
        index = battles.index_with(session, catalog_index(session), [battle])
        if choice is Choice.SKIP:
            raise NotWithdrawable("A skip never counts, so there is nothing to withdraw.")
        if battle.sampler == HONEY:
            raise NotWithdrawable("This pair was a check, which no rating counts: the vote stays.")
        track, prompt = index.tracks[battle.track_id], index.prompts[battle.prompt_id]
        if reveals(track, prompt, sampler=battle.sampler, choice=choice):
            raise NotWithdrawable(
                "The models' names were shown after this vote, so it cannot be withdrawn."
            )
        if track.is_closed:
            raise NotWithdrawable("The track is closed, and its final leaderboard has this vote.")
        age = now - vote["cast_at"]
        if not -CLOCK_TOLERANCE <= age <= timedelta(seconds=WITHDRAW_S + TRAVEL_S):
            raise BattleExpired(f"A vote can be withdrawn within {WITHDRAW_S} seconds only.")
        check_withdrawals(session, voter, rules=rules, now=now)
        rule = HoldRule.WITHDRAWN
        text = RULES[rule]
        event = NewEvent(vote["id"], HoldKind.HOLD, rule, text.version, text.reason, AUTHOR)
        add_events(session, [event], now=now)
        last = last_events(session, [vote["id"]])[vote["id"]]
    verdict = judge(choice, picture_only=vote["picture_only"], sampler=battle.sampler, last=last)
    return WithdrawnVote(choice, vote["receipt"], verdict)
