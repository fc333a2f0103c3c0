"""An arena whose voters are honest, but for one who always votes for the left side."""

import random

from sqlalchemy import insert, select

from arena.catalog.tracks import find_track
from arena.database import Database
from arena.holds.status import judge_votes
from arena.models import Battle, Clip, Vote, Voter, VoterKind, VoteStatus
from small_arena import START, TRACK

VOTERS, VOTES = 12, 40
LEFT_ONLY = VOTERS + 1  # the number of a voter who always votes for the left side


def add_voters(opened: Database) -> None:
    """Add honest voters, who mostly prefer the later entrants, and one of the left side only."""
    rng = random.Random(1)
    with opened.writing() as session:
        track = find_track(session, TRACK)
        clips = session.scalars(
            select(Clip).where(Clip.track_id == track.id, Clip.prompt_id == "p-1")
        ).all()
        for number in range(1, LEFT_ONLY + 1):
            key = f"{number:032x}"
            voter = {"id": number, "key": key, "kind": VoterKind.PERSON, "created_at": START}
            session.execute(insert(Voter).values(voter))
            for turn in range(VOTES):
                a, b = rng.sample(clips, 2)
                identity = number * 1000 + turn
                better = rng.random() < 0.5 + 0.1 * (b.entrant_id - a.entrant_id)
                choice = "a" if better or number == LEFT_ONLY else "b"
                session.execute(
                    insert(Battle).values(
                        id=identity,
                        token=f"t{identity}",
                        track_id=track.id,
                        prompt_id="p-1",
                        voter_id=number,
                        clip_a_id=a.id,
                        clip_b_id=b.id,
                        sampler="uniform",
                        probability=1 / 3,
                        state="answered",
                        issued_at=START,
                    )
                )
                session.execute(
                    insert(Vote).values(
                        id=identity,
                        battle_id=identity,
                        voter_id=number,
                        choice=choice,
                        cast_at=START,
                        receipt=f"r{identity}",
                        decided_ms=int(3000 * rng.lognormvariate(0, 0.3)),
                        reasons=[],
                    )
                )


def held_voters(database: Database) -> set[int]:
    """Numbers of the voters who have a held vote."""
    with database.reading() as session:
        votes = session.scalars(select(Vote)).all()
        verdicts = judge_votes(session, votes)
    return {vote.voter_id for vote in votes if verdicts[vote.id].status is VoteStatus.HELD}
