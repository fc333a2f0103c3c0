"""Leaderboards equal those of `ratings`, are computed from the stored votes, and do not lag."""

from datetime import timedelta
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import select

import ratings
from arena.catalog import retirement
from arena.database import Database
from arena.errors import NotFound
from arena.models import OVERALL, Base, Battle, Entrant, Snapshot, Vote, VoterKind, VoteStatus
from arena.standings import standings
from arena.standings.boards import BOARD_COLUMNS, Board, board_document, board_frame
from arena.standings.computing import EXPLORE
from arena.voting import ballots
from arena.voting.limits import VotingRules
from arena.voting.schemas import VoteForm
from small_arena import NAMES, START, TRACK, TRACK_WITH_SOUND, Booth


def board(database: Database, **values: object) -> Board:
    defaults: dict[str, object] = {"track_name": TRACK, "now": START + timedelta(hours=1)}
    return standings.leaderboard(database, **(defaults | values))  # type: ignore[arg-type]


def vote_by_preference(database: Database, *, voters: int, track: str = TRACK) -> pd.DataFrame:
    """Cast votes that mostly prefer the alphabetically first model, and return them as a table."""
    cast = []
    for number in range(voters):
        booth = Booth(database, key=f"{number:032x}", track=track)
        for turn in range(12):
            battle = booth.ask()
            booth.wait(1)
            a, b = booth.models(battle.token)
            better = "a" if (a < b) != (turn % 5 == 4) else "b"
            choice = ("tie", "bad", "skip")[number % 3] if turn == 7 else better
            booth.cast(battle.token, choice)
            winner = {"a": "model_a", "b": "model_b", "tie": "tie", "bad": "both_bad"}
            if choice != "skip":
                cast.append((a, b, winner[choice], booth.key))
    return pd.DataFrame(cast, columns=["model_a", "model_b", "winner", "voter"])


def test_entrants_without_votes_are_listed_without_rating(arena_database: Database) -> None:
    shown = board(arena_database)
    assert shown.votes == 0
    assert {row.model for row in shown.rows} == set(NAMES)
    assert {row.rating for row in shown.rows} == {None}
    assert {row.vote_count for row in shown.rows} == {0}


def test_the_board_is_that_of_ratings(arena_database: Database) -> None:
    votes = vote_by_preference(arena_database, voters=9)
    shown = board_frame(board(arena_database)).set_index("model")
    battles = ratings.Battles.from_frame(votes)
    expected = ratings.leaderboard(battles, ties="half", both_bad="tie").set_index("model")
    for column in set(BOARD_COLUMNS) - {"model", "status"}:
        pd.testing.assert_series_equal(
            shown[column].astype(float),
            expected.loc[shown.index, column].astype(float),
            check_names=False,
            check_index_type=False,
            atol=1e-6,  # the board has six decimals
            rtol=0,
        )
    assert list(shown.index) == list(NAMES)
    assert shown["vote_count"].sum() == 2 * len(votes)


def test_a_board_is_recomputed_only_for_new_votes(booth: Booth) -> None:
    booth.vote("a")
    first = board(booth.database)
    again = board(booth.database, now=START + timedelta(hours=2))
    assert (first.votes, again.computed_at) == (1, first.computed_at)
    booth.vote("b")
    assert board(booth.database, now=START + timedelta(hours=3)).votes == 2


def test_the_days_snapshot_is_replaced_and_earlier_days_are_kept(booth: Booth) -> None:
    for hours in (1, 2, 30):
        booth.now = START + timedelta(hours=hours)
        booth.vote("a")
        board(booth.database, now=booth.now + timedelta(minutes=5))
    with booth.database.reading() as session:
        published = list(session.scalars(select(Snapshot.published_on).order_by(Snapshot.id)))
    assert [day.day for day in published] == [23, 24]


def test_skips_are_never_rated(booth: Booth) -> None:
    booth.vote("skip")
    assert board(booth.database).votes == 0


def test_simulated_votes_count_only_among_themselves(booth: Booth) -> None:
    booth.vote("a")
    with booth.database.writing() as session:
        ballots.admit_voter(session, "f" * 32, now=START, kind=VoterKind.SIMULATED)
    simulated = Booth(booth.database, key="f" * 32)
    simulated.vote("b")
    simulated.vote("b")
    assert board(booth.database).votes == 1
    assert board(booth.database, voters=VoterKind.SIMULATED).votes == 2


def test_tracks_and_categories_have_separate_boards(arena_database: Database) -> None:
    vote_by_preference(arena_database, voters=1)
    everything, even = board(arena_database), board(arena_database, category="even")
    assert board(arena_database, track_name=TRACK_WITH_SOUND).votes == 0
    assert 0 < even.votes < everything.votes
    assert (everything.category, even.category) == (OVERALL, "even")
    with pytest.raises(NotFound, match="overall, even"):
        board(arena_database, category="odd")


def test_the_document_states_what_it_was_computed_from(booth: Booth) -> None:
    booth.vote("a")
    document = board_document(board(booth.database))
    assert document["voters"] == "people"
    assert document["computed_at"] == "2026-11-23T13:00:00Z"
    assert document["watermark"] == 1
    assert document["parameters"]["confidence"] == 0.95


def test_the_pairs_of_a_board_are_complete(arena_database: Database) -> None:
    votes = vote_by_preference(arena_database, voters=3)
    shown = board(arena_database)
    assert [(each.model_a, each.model_b) for each in shown.pairs] == [
        (NAMES[0], NAMES[1]),
        (NAMES[0], NAMES[2]),
        (NAMES[1], NAMES[2]),
    ]
    for each in shown.pairs:
        between = votes[votes["model_a"].isin([each.model_a, each.model_b])]
        between = between[between["model_b"].isin([each.model_a, each.model_b])]
        won = between["model_a"].where(between["winner"] == "model_a", between["model_b"])
        decided = between["winner"].isin(["model_a", "model_b"])
        assert each.votes == len(between)
        assert each.wins == ((won == each.model_a) & decided).sum()
        assert each.losses == ((won == each.model_b) & decided).sum()
        assert each.ties == (between["winner"] == "tie").sum()
        assert each.both_bad == (between["winner"] == "both_bad").sum()


def test_the_reveal_shows_the_latest_snapshots_rating(arena_database: Database) -> None:
    vote_by_preference(arena_database, voters=5)
    shown = {row.model: row.rating for row in board(arena_database).rows}
    newcomer = Booth(arena_database, key="e" * 32, rules=VotingRules())
    answer = newcomer.vote("a")
    assert answer.reveal is not None
    assert {side.name: side.rating for side in answer.reveal}.items() <= shown.items()
    assert VoteForm.model_validate({"choice": "a"}).reasons == []


def rows_of(database: Database, table: type[Base]) -> list[tuple[object, ...]]:
    with database.reading() as session:
        columns = table.__table__.columns
        return [tuple(row) for row in session.execute(select(*columns).order_by(columns.id))]


def test_computing_a_leaderboard_changes_no_vote_and_no_battle(booth: Booth) -> None:
    for choice in ("a", "b", "tie", "bad", "skip"):
        booth.vote(choice)
    before = [rows_of(booth.database, table) for table in (Vote, Battle)]
    assert len(before[0]) == 5
    assert board(booth.database).votes == 4
    assert [rows_of(booth.database, table) for table in (Vote, Battle)] == before


def test_only_counted_votes_are_rated(booth: Booth) -> None:
    statuses = [booth.vote(choice).status for choice in ("a", "skip")]
    assert statuses == [VoteStatus.COUNTED, VoteStatus.SKIPPED]
    assert board(booth.database).votes == 1


def sampling_of(database: Database, **values: object) -> dict[str, Any] | None:
    board(database, **values)
    with database.reading() as session:
        return session.scalars(select(Snapshot).order_by(Snapshot.id.desc())).first().sampling  # type: ignore[union-attr]


def test_the_snapshot_of_all_peoples_votes_holds_what_the_sampler_draws_from(
    arena_database: Database,
) -> None:
    vote_by_preference(arena_database, voters=3)
    sampling = sampling_of(arena_database)
    assert sampling is not None
    assert sampling["explore"] == EXPLORE
    with arena_database.reading() as session:
        ids = sorted(session.scalars(select(Entrant.id)))
    pairs = [[low, high] for low, high, _ in sampling["pairs"]]
    assert pairs == [[ids[0], ids[1]], [ids[0], ids[2]], [ids[1], ids[2]]]
    assert sum(probability for _, _, probability in sampling["pairs"]) == pytest.approx(1)
    assert sampling_of(arena_database, category="even") is None
    assert sampling_of(arena_database, voters=VoterKind.SIMULATED) is None


def test_a_retired_entrant_is_in_no_pair_of_the_sampler(booth: Booth) -> None:
    with booth.database.writing() as session:
        entrant = session.scalars(select(Entrant).where(Entrant.name == NAMES[0])).one()
        retirement.retire(session, entrant, now=START)
        retired = entrant.id
    booth.vote("a")
    sampling = sampling_of(booth.database)
    assert sampling is not None
    assert len(sampling["pairs"]) == 1
    assert retired not in sampling["pairs"][0][:2]
