"""Where the reveal hides the models, reading the leaderboard before and after a vote names none."""

from datetime import datetime, timedelta
from itertools import count

import pytest
from sqlalchemy import select

from arena.catalog.tracks import close_track, find_track
from arena.database import Database
from arena.models import OVERALL, Prompt, Reveal, Snapshot, Track, VoterKind
from arena.standings.boards import Board, board_csv, board_document
from arena.standings.job import StandingsJob
from arena.standings.lots import LOT_VOTES
from arena.standings.standings import follow_job, leaderboard
from small_arena import START, TRACK, TRACK_WITH_SOUND, Booth

HOUR = timedelta(hours=1)
KEYS = count(1)


@pytest.fixture(params=["at close", "held out"])
def hiding(request: pytest.FixtureRequest, arena_database: Database) -> Database:
    """An arena of which a track hides the models of votes, all or some."""
    with arena_database.writing() as session:
        if request.param == "at close":
            track = session.scalars(select(Track).where(Track.name == TRACK)).one()
            track.reveal = Reveal.AT_CLOSE
        else:
            session.get_one(Prompt, "p-1").held_out = True
    return arena_database


def vote(database: Database, votes: int = 1, *, track: str = TRACK) -> None:
    for _ in range(votes):
        assert Booth(database, key=f"{next(KEYS):032x}", track=track).vote("a").status == "counted"


def board(database: Database, now: datetime, *, category: str = OVERALL) -> Board:
    return leaderboard(database, track_name=TRACK, category=category, now=now)


def shown(database: Database, now: datetime) -> list[object]:
    """All that readers get of the leaderboards."""
    boards = [board(database, now, category=category) for category in (OVERALL, "even")]
    return [(board_document(each), board_csv(each)) for each in boards]


def test_a_vote_changes_nothing_that_readers_get(hiding: Database) -> None:
    now = START
    before = shown(hiding, now)
    for _ in range(LOT_VOTES - 1):
        vote(hiding)
        now += HOUR
        assert shown(hiding, now) == before


def test_a_lot_is_shown_once_it_is_full_and_an_hour_old(hiding: Database) -> None:
    assert board(hiding, START).votes == 0
    vote(hiding, LOT_VOTES)
    assert board(hiding, START + HOUR / 2).votes == 0
    assert board(hiding, START + HOUR).votes == LOT_VOTES
    before = board(hiding, START + HOUR)
    vote(hiding, LOT_VOTES - 1)
    assert board(hiding, START + 3 * HOUR) == before
    vote(hiding)
    full = board(hiding, START + 3 * HOUR)
    assert full.votes == 2 * LOT_VOTES
    assert full.details is not None
    assert full.details["votes"] == 2 * LOT_VOTES


def test_a_category_moves_with_lots_of_its_own(hiding: Database) -> None:
    board(hiding, START, category="even")
    vote(hiding, LOT_VOTES + 4)
    assert board(hiding, START + HOUR).votes == LOT_VOTES + 4
    assert board(hiding, START + HOUR, category="even").votes == 0


def test_the_close_of_a_track_shows_all_votes(hiding: Database) -> None:
    board(hiding, START)
    vote(hiding, 3)
    with hiding.writing() as session:
        close_track(session, find_track(session, TRACK), now=START)
    assert board(hiding, START + HOUR).votes == 3


def test_other_tracks_and_simulated_voters_do_not_wait(hiding: Database) -> None:
    before = leaderboard(hiding, track_name=TRACK_WITH_SOUND, now=START).votes
    with hiding.writing() as session:
        session.get_one(Prompt, "p-1").held_out = False
    vote(hiding, track=TRACK_WITH_SOUND)
    later = START + timedelta(minutes=5)
    assert leaderboard(hiding, track_name=TRACK_WITH_SOUND, now=later).votes == before + 1


def test_the_background_job_keeps_to_lots_and_so_it_does_after_a_restart(hiding: Database) -> None:
    follow_job(hiding)

    def votes_after(job: StandingsJob, now: datetime) -> list[int]:
        assert job.run_once(now=now)
        with hiding.reading() as session:
            track = find_track(session, TRACK)
            return [
                max(
                    session.scalars(
                        select(Snapshot.votes).where(
                            Snapshot.track_id == track.id,
                            Snapshot.voters == VoterKind.PERSON,
                            Snapshot.category == category,
                        )
                    )
                )
                for category in (OVERALL, "even")
            ]

    job = StandingsJob(hiding)
    assert votes_after(job, START) == [0, 0]
    vote(hiding, LOT_VOTES - 1)
    assert votes_after(job, START + 2 * HOUR) == [0, 0]
    job._lease.release()
    job = StandingsJob(hiding)
    assert votes_after(job, START + 2 * HOUR) == [0, 0]
    vote(hiding)
    overall, even = votes_after(job, START + 3 * HOUR)
    assert (overall, even) == (LOT_VOTES, 0)
    assert not leaderboard(hiding, track_name=TRACK, now=START + 5 * HOUR).stale
    vote(hiding)
    assert votes_after(job, START + 5 * HOUR)[0] == LOT_VOTES
    with hiding.writing() as session:
        close_track(session, find_track(session, TRACK), now=START)
    assert votes_after(job, START + 5 * HOUR)[0] == LOT_VOTES + 1
