"""The rule `uniform`: pairs of entrants and sides are equally likely, probabilities are stored."""

import random
from collections import Counter

import pytest
from scipy.stats import chisquare
from sqlalchemy import select

from arena.catalog.entrants import find_entrant
from arena.catalog.identical import find_identical, warn_if_identical
from arena.catalog.prompts import find_prompt
from arena.catalog.tracks import find_track
from arena.database import Database
from arena.errors import NoPair
from arena.models import Battle, Clip, ClipStatus
from arena.voting import ballots
from arena.voting.limits import VotingRules
from arena.voting.matchmaking import draw_pair, is_active
from small_arena import NAMES, PROMPTS, START, TRACK, Booth, stored_track

DRAWS = 1200
SIGNIFICANCE = 1e-4  # the seed is fixed, so this is deterministic


@pytest.mark.databases("sqlite")  # they are drawn from the catalog in memory
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
        find_entrant(session, "alder").retired_at = START
        for clip in session.scalars(select(Clip).where(Clip.prompt_id != "p-1")):
            clip.status, clip.rendition_path, clip.sha256 = ClipStatus.FAILED, None, None
    booth = Booth(arena_database)
    battle = booth.ask()
    assert battle.prompt_id == "p-1"
    assert set(booth.models(battle.token)) == {"Birch", "Cedar"}
    assert battle.next is None


@pytest.mark.parametrize(("most", "battles"), [(1, 4), (2, 12), (3, 12)])
def test_no_voter_sees_a_clip_in_more_battles_than_the_limit(
    arena_database: Database, monkeypatch: pytest.MonkeyPatch, most: int, battles: int
) -> None:
    monkeypatch.setattr("arena.voting.matchmaking.MAX_SHOWN", most)
    booth = Booth(arena_database)
    for _ in range(battles - 1):
        assert booth.vote("a").next is not None
    assert booth.vote("a").next is None
    with pytest.raises(NoPair):
        booth.ask()
    with arena_database.reading() as session:
        rows = session.execute(select(Battle.clip_a_id, Battle.clip_b_id, Battle.probability)).all()
    shown = Counter(clip for row in rows for clip in row[:2])
    assert max(shown.values()) == min(most, 2)
    assert len(rows) == battles
    assert all(0 < row[2] <= 1 for row in rows)


def copy_bytes(opened: Database, *, column: str, prompts: tuple[str, ...]) -> None:
    """Let Birch's clips of these prompts be the same bytes as Alder's."""
    with opened.writing() as session:
        for clip in session.scalars(
            select(Clip).join(Clip.entrant).where(Clip.prompt_id.in_(prompts))
        ):
            if clip.entrant.name in ("Alder", "Birch"):
                setattr(clip, column, f"{clip.prompt_id} {clip.track_id}".ljust(64, "0"))


@pytest.mark.parametrize("column", ["sha256", "master_sha256"])
def test_clips_with_the_same_bytes_are_never_a_pair(arena_database: Database, column: str) -> None:
    copy_bytes(arena_database, column=column, prompts=("p-1", "p-2", "p-3"))
    booth = Booth(arena_database)
    shown = set()
    for _ in range(9):  # of twelve pairs, three are the same bytes
        battle = booth.ask()
        booth.wait(1)
        shown.add((*sorted(booth.models(battle.token)), battle.prompt_id))
        last = booth.cast(battle.token, "tie")
    assert last.next is None
    assert {prompt for *names, prompt in shown if names == ["Alder", "Birch"]} == {"p-4"}
    with arena_database.reading() as session:
        first, *_ = found = find_identical(session, track=stored_track(arena_database))
        assert len(found) == 3
        assert (first.entrants, first.prompt_id) == (("Alder", "Birch"), "p-1")
        assert len(find_identical(session)) == 6  # the other track has copies too


def test_a_copy_is_logged_when_it_is_stored(
    arena_database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    copy_bytes(arena_database, column="sha256", prompts=("p-1",))
    with arena_database.writing() as session:
        track = find_track(session, TRACK)
        clips = session.scalars(select(Clip).where(Clip.track_id == track.id)).all()
        for clip in clips:
            if clip.entrant.name == "Birch":
                warn_if_identical(session, clip)
    (message,) = caplog.messages
    assert "Alder and Birch" in message
    assert "p-1" in message


def test_the_probability_counts_no_pair_of_which_all_clips_are_the_same(
    arena_database: Database,
) -> None:
    copy_bytes(arena_database, column="sha256", prompts=PROMPTS)
    battle = Booth(arena_database).ask()
    with arena_database.reading() as session:
        assert session.get_one(Battle, battle.id).probability == 1 / 2


def test_a_track_of_copies_is_inactive(arena_database: Database) -> None:
    copy_bytes(arena_database, column="sha256", prompts=PROMPTS)
    with arena_database.writing() as session:
        find_entrant(session, "cedar").retired_at = START
        session.flush()
        assert not is_active(session, stored_track(arena_database))


def test_pairs_seen_of_retired_prompts_hide_no_other_pair(arena_database: Database) -> None:
    booth = Booth(arena_database)
    for _ in range(6):
        battle = booth.ask("even")
        booth.wait(1)
        booth.cast(battle.token, "a")
    with arena_database.writing() as session:
        for key in ("p-2", "p-4"):
            find_prompt(session, key).retired_at = START
    for _ in range(6):
        assert booth.vote("b").status == "counted"


def test_a_track_with_one_entrant_is_inactive(arena_database: Database) -> None:
    track = stored_track(arena_database)
    with arena_database.writing() as session:
        assert is_active(session, track)
        for name in ("alder", "birch"):
            find_entrant(session, name).retired_at = START
        session.flush()
        assert not is_active(session, track)
        pair = draw_pair(session, track=track, voter_id=1, category=None, rng=random.Random(1))
        assert pair is None
