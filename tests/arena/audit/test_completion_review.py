"""An alarm of the completion test holds the votes that may have made it, and names the model."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from arena.audit.completion_review import review_completion
from arena.holds.status import judge_votes
from arena.models import Completion, CompletionProgress, Entrant, Track, Vote, VoteStatus
from arena.standings.standings import leaderboard
from small_arena import START, TRACK, Booth


@pytest.mark.databases("sqlite")
def test_an_alarm_holds_the_votes_of_those_who_voted_rarely(booth: Booth) -> None:
    for _ in range(6):
        booth.vote("a")
    for number in range(12):
        Booth(booth.database, key=f"{number:032x}").vote("a")
    with booth.database.writing() as session:
        track = session.scalars(select(Track).where(Track.name == TRACK)).one()
        session.add(CompletionProgress(id=1, battle_id=10**6, vote_id=10**6))
        for entrant in session.scalars(select(Entrant)):
            for number in range(5):
                day = (START - timedelta(days=4 - number)).date()
                voted = 1900 if entrant.name == "Birch" and number == 4 else 1300
                session.add(
                    Completion(
                        **{"track_id": track.id, "day": day, "entrant_id": entrant.id},
                        **{"issued": 2000, "voted": voted},
                    )
                )
    now = START + timedelta(hours=1)
    held = review_completion(booth.database, now=now)
    assert 0 < held < 12
    assert review_completion(booth.database, now=now) == 0
    with booth.database.reading() as session:
        votes = list(session.scalars(select(Vote)))
        verdicts = judge_votes(session, votes)
        for vote in votes:
            names = {vote.battle.clip_a.entrant.name, vote.battle.clip_b.entrant.name}
            is_regular = vote.battle.voter_id == votes[0].battle.voter_id
            expected = "Birch" in names and not is_regular
            assert (verdicts[vote.id].status is VoteStatus.HELD) is expected
    board = leaderboard(booth.database, track_name=TRACK, now=now)
    assert board.votes == 18 - held
    assert board.holds is not None
    (review,) = board.holds["under_review"]
    assert review["model"] == "Birch"
    assert START.date().isoformat() in review["reason"]
