"""Simulated voters are marked, reproducible, unaffected by sides, and follow measured quality."""

import re
from collections import Counter
from datetime import timedelta
from pathlib import Path
from statistics import stdev

import pytest
from honey_copies import add_copies
from sqlalchemy import func, select

from arena.catalog.tracks import find_track, list_tracks
from arena.database import Database
from arena.errors import BallotError, NoPair, NotFound
from arena.models import (
    Battle,
    BattleState,
    Choice,
    Clip,
    Entrant,
    Prompt,
    Track,
    Vote,
    Voter,
    VoterKind,
)
from arena.simulation import CLOSE, NOISE_STD, POOR, REJECTS, TASTE_STD, Judge, simulate
from arena.standings import standings
from small_arena import START, TRACK, TRACK_WITH_SOUND, new_database
from small_arena import fill_small_arena as fill

JUDGES = [Judge(f"voter {number}", seed=0) for number in range(400)]


def run(opened: Database, votes: int, *, track: str | None = TRACK, voters: int = 10) -> int:
    return simulate(
        opened, votes=votes, track=track, voters=voters, seed=7, now=START, on_vote=lambda: None
    )


def clip(number: int, quality: float, **measures: float) -> Clip:
    return Clip(id=number, measures={"quality": quality, **measures})


def choice_shares(a: Clip, b: Clip) -> dict[Choice, float]:
    counts = Counter(judge.choose(a, b) for judge in JUDGES)
    return {choice: counts[choice] / len(JUDGES) for choice in Choice}


def cast(opened: Database) -> list[tuple[object, ...]]:
    """Return every vote: voter, clips, choice."""
    with opened.reading() as session:
        query = (
            select(Voter.key, Battle.clip_a_id, Battle.clip_b_id, Vote.choice)
            .join(Battle, Battle.voter_id == Voter.id)
            .join(Vote, Vote.battle_id == Battle.id)
            .order_by(Vote.id)
        )
        return [tuple(row) for row in session.execute(query)]


# --- judgement ------------------------------------------------------------------------------------


def test_a_better_clip_wins_more_often() -> None:
    wins = [
        choice_shares(clip(1, 0.5 + margin), clip(2, 0.5))[Choice.A]
        for margin in (0, 0.1, 0.2, 0.4)
    ]
    assert wins == sorted(wins)
    assert wins[0] < 0.5
    assert wins[-1] > 0.9


def test_sides_have_no_effect() -> None:
    swapped = {Choice.A: Choice.B, Choice.B: Choice.A}
    a, b = clip(1, 0.55, sync=0.9), clip(2, 0.6, sync=0.3)
    for judge in JUDGES:
        choice = judge.choose(a, b)
        assert judge.choose(b, a) is swapped.get(choice, choice)


def test_close_clips_tie_and_poor_ones_are_both_bad() -> None:
    alike, apart = (
        choice_shares(clip(1, 0.7), clip(2, 0.7)),
        choice_shares(clip(1, 0.9), clip(2, 0.4)),
    )
    assert alike[Choice.TIE] > 0.1 > apart[Choice.TIE]
    assert choice_shares(clip(1, 0.05), clip(2, 0.1))[Choice.BAD] > 0.8
    assert alike[Choice.BAD] == apart[Choice.BAD] == 0


def test_voters_differ_in_taste() -> None:
    def std_between_voters(sync: float) -> float:
        """Standard deviation between voters of how often they choose the first of 20 pairs."""
        pairs = [(clip(n, 0.6, sync=sync), clip(-n, 0.6, sync=0.0)) for n in range(1, 21)]
        return stdev(
            sum(judge.choose(a, b) is Choice.A for a, b in pairs) for judge in JUDGES[:100]
        )

    assert std_between_voters(1.0) > 1.5 * std_between_voters(0.0)


# --- a run ----------------------------------------------------------------------------------------


def test_votes_are_marked_and_have_a_separate_leaderboard(arena_database: Database) -> None:
    assert run(arena_database, 110) == 110
    with arena_database.reading() as session:
        kinds = session.execute(
            select(Voter.kind, func.count(Vote.id))
            .join(Vote, Vote.voter_id == Voter.id)
            .group_by(Voter.kind)
        ).all()
        assert [tuple(row) for row in kinds] == [(VoterKind.SIMULATED, 110)]
    boards = {
        voters: standings.leaderboard(arena_database, track_name=TRACK, voters=voters, now=START)
        for voters in VoterKind
    }
    assert boards[VoterKind.PERSON].votes == 0
    simulated = boards[VoterKind.SIMULATED]
    assert simulated.votes == 110
    assert [row.model for row in simulated.rows] == ["Cedar", "Birch", "Alder"]


def test_the_same_seed_gives_the_same_votes(
    arena_database: Database, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = new_database(tmp_path_factory.mktemp("other"))
    fill(other)
    run(arena_database, 40)
    run(other, 40)
    assert cast(arena_database) == cast(other)


def test_a_second_run_repeats_no_pair(arena_database: Database) -> None:
    run(arena_database, 40)
    run(arena_database, 40)
    seen = [(key, frozenset((a, b))) for key, a, b, _ in cast(arena_database)]
    assert len(seen) == len(set(seen)) == 80
    assert len({key for key, _ in seen}) == 10


def test_more_voters_join_when_all_pairs_are_seen(arena_database: Database) -> None:
    # Three pairs of models on four prompts: twelve battles for each of two voters.
    assert run(arena_database, 30, voters=2) == 30
    assert Counter(key for key, *_ in cast(arena_database)).most_common(1)[0][1] == 12
    assert len({key for key, *_ in cast(arena_database)}) == 3


def test_votes_are_divided_evenly_among_the_active_tracks(arena_database: Database) -> None:
    with arena_database.writing() as session:
        idle = find_track(session, TRACK_WITH_SOUND)
        session.add(Track(**_settings(idle), name="idle"))
    calls: list[None] = []
    simulate(
        arena_database,
        votes=25,
        track=None,
        voters=4,
        seed=0,
        now=START,
        on_vote=lambda: calls.append(None),
    )
    with arena_database.reading() as session:
        counted = session.execute(
            select(Track.name, func.count(Vote.id))
            .join(Battle, Battle.track_id == Track.id)
            .join(Vote, Vote.battle_id == Battle.id)
            .group_by(Track.name)
        ).all()
    assert dict(tuple(row) for row in counted) == {TRACK: 13, TRACK_WITH_SOUND: 12}
    assert len(calls) == 25


def _settings(track: Track) -> dict[str, object]:
    left_out = {"id", "name"}
    return {
        column.key: getattr(track, column.key)
        for column in Track.__table__.columns
        if column.key not in left_out
    }


@pytest.mark.parametrize("measures", [None, {}, {"sync": 1.0}, {"quality": None}])
def test_a_track_with_unmeasured_clips_is_refused(
    arena_database: Database, measures: dict[str, float] | None
) -> None:
    with arena_database.writing() as session:
        session.get_one(Clip, 1).measures = measures
    with pytest.raises(BallotError, match="do not cover 1 of its 12 clips"):
        run(arena_database, 10, track=TRACK)
    assert cast(arena_database) == []
    # Of all tracks the others are judged, if there is one.
    assert run(arena_database, 10, track=None) == 10
    with arena_database.writing() as session:
        other = find_track(session, TRACK_WITH_SOUND)
        for clip in session.scalars(select(Clip).where(Clip.track_id == other.id)):
            clip.measures = measures
    with pytest.raises(BallotError, match="the built-in measures do not cover"):
        run(arena_database, 10, track=None)


def test_retired_items_need_no_measures(arena_database: Database) -> None:
    with arena_database.writing() as session:
        session.get_one(Clip, 1).measures = None
        session.get_one(Entrant, session.get_one(Clip, 1).entrant_id).retired_at = START
    assert run(arena_database, 5) == 5


def test_an_open_battle_of_a_retired_prompt_is_skipped(arena_database: Database) -> None:
    run(arena_database, 10)
    with arena_database.writing() as session:
        session.get_one(Prompt, "p-1").retired_at = START
    run(arena_database, 30)
    with arena_database.reading() as session:
        later = session.execute(
            select(Battle.prompt_id, Vote.choice)
            .join(Vote, Vote.battle_id == Battle.id)
            .where(Vote.id > 10)
        ).all()
    assert {choice for prompt, choice in later if prompt == "p-1"} <= {Choice.SKIP}
    assert sum(choice is not Choice.SKIP for _, choice in later) == 30


def test_no_active_track_is_an_error(arena_database: Database) -> None:
    with arena_database.writing() as session:
        for track in list_tracks(session):
            track.closed_at = START
    with pytest.raises(NoPair, match="No track has two clips to compare yet"):
        run(arena_database, 1, track=None)
    with pytest.raises(NoPair, match="no two clips to compare, or is closed"):
        run(arena_database, 1)
    with pytest.raises(NotFound, match="No track is named 'dressage'"):
        run(arena_database, 1, track="dressage")


def test_expired_battles_are_not_answered(arena_database: Database) -> None:
    run(arena_database, 10)
    simulate(
        arena_database,
        votes=10,
        track=TRACK,
        voters=10,
        seed=7,
        now=START + timedelta(days=1),
        on_vote=lambda: None,
    )
    with arena_database.reading() as session:
        expired = select(func.count(Battle.id)).where(Battle.state == BattleState.EXPIRED)
        assert session.scalar(expired) == 10
    assert len(cast(arena_database)) == 20


def test_the_docs_state_the_models_constants() -> None:
    text = (Path(__file__).parents[2] / "docs" / "release.md").read_text()
    section = text[text.index("## Simulated voters") : text.index("## Data dictionary")]
    for number in (NOISE_STD, TASTE_STD, CLOSE, POOR, REJECTS):
        assert re.search(rf"\b{re.escape(str(number))}(?!\d)", section), number


def test_simulated_voters_mostly_reject_damaged_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = new_database(tmp_path)
    fill(opened)
    add_copies(opened)
    monkeypatch.setattr("arena.voting.issuing.HONEY_SHARE", 0.5)
    run(opened, 200, voters=20)
    with opened.reading() as session:
        honey = session.execute(
            select(Battle, Vote.choice)
            .join(Vote, Vote.battle_id == Battle.id)
            .where(Battle.sampler == "honey")
        ).all()
        passed = [
            choice is (Choice.A if battle.clip_a.damage is None else Choice.B)
            for battle, choice in honey
        ]
    assert len(passed) > 50
    assert 0.85 < sum(passed) / len(passed) <= 1
    opened.dispose()
