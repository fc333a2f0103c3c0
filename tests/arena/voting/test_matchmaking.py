"""The rule `uniform`: pairs of entrants and sides are equally likely, probabilities are stored."""

import random
from collections import Counter

from scipy.stats import chisquare
from sqlalchemy import select

from arena.catalog import catalog
from arena.database import Database
from arena.models import Battle, Clip, ClipStatus
from arena.voting import ballots
from arena.voting.limits import VotingRules
from arena.voting.matchmaking import draw_pair, is_active
from small_arena import NAMES, START, TRACK, Booth, find_track

DRAWS = 1200
SIGNIFICANCE = 1e-4  # the seed is fixed, so this is deterministic


def test_pairs_and_sides_are_uniform(arena_database: Database) -> None:
    rng = random.Random(5)
    with arena_database.writing() as session:
        for number in range(DRAWS):
            ballots.issue_battle(
                session,
                voter_key=f"{number:032d}",
                track_name=TRACK,
                rules=VotingRules(),
                now=START,
                rng=rng,
            )
        shown = Counter(
            (battle.clip_a.entrant.name, battle.clip_b.entrant.name)
            for battle in session.scalars(select(Battle))
        )
    assert len(shown) == len(NAMES) * (len(NAMES) - 1)
    assert chisquare(list(shown.values())).pvalue > SIGNIFICANCE


def test_the_probability_is_one_over_the_number_of_pairs_left(booth: Booth) -> None:
    for _ in range(12):
        booth.vote("tie")
    with booth.database.reading() as session:
        probabilities = [
            battle.probability for battle in session.scalars(select(Battle).order_by(Battle.id))
        ]
    assert probabilities[0] == 1 / 3
    assert probabilities == sorted(probabilities)
    assert probabilities[-1] == 1


def test_retired_entrants_and_failed_clips_are_not_drawn(arena_database: Database) -> None:
    with arena_database.writing() as session:
        catalog.find_entrant(session, "alder").retired_at = START
        for clip in session.scalars(select(Clip).where(Clip.prompt_id != "p-1")):
            clip.status, clip.rendition_path, clip.sha256 = ClipStatus.FAILED, None, None
    booth = Booth(arena_database)
    battle = booth.ask()
    assert battle.prompt_id == "p-1"
    assert set(booth.models(battle.token)) == {"Birch", "Cedar"}
    assert battle.next is None


def test_a_track_with_one_entrant_is_inactive(arena_database: Database) -> None:
    track = find_track(arena_database)
    with arena_database.writing() as session:
        assert is_active(session, track)
        for name in ("alder", "birch"):
            catalog.find_entrant(session, name).retired_at = START
        session.flush()
        assert not is_active(session, track)
        pair = draw_pair(session, track=track, voter_id=1, category=None, rng=random.Random(1))
        assert pair is None
