"""Votes are read into arrays once each, whatever the order in which they are committed."""

from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select, update

from arena.database import Database
from arena.models import Battle, Choice, Vote, VoterKind
from arena.standings import vote_reader
from arena.standings.arrays_file import load_arrays, save_arrays
from arena.standings.vote_arrays import VoteArrays
from arena.standings.vote_reader import VoteReader
from small_arena import Booth, fill_small_arena, new_database, stored_track


def read(database: Database, reader: VoteReader) -> int:
    """Read what is new; the number of rated votes by people in the track."""
    with database.reading() as session:
        reader.read_all(session)
    return len(reader.arrays.pool(stored_track(database).id, VoterKind.PERSON).votes)


def renumber(database: Database, old: int, new: int) -> None:
    """Give a vote another number, as if its transaction had drawn that."""
    with database.writing() as session:
        session.execute(update(Vote).where(Vote.id == old).values(id=new))


def test_votes_are_read_once_and_skips_are_left_out(booth: Booth) -> None:
    reader = VoteReader(VoteArrays())
    for choice, expected in (("a", 1), ("skip", 1), ("b", 2), ("bad", 3), ("tie", 4)):
        booth.vote(choice)
        assert read(booth.database, reader) == expected
    assert reader.arrays.watermark == 5
    votes = reader.arrays.pool(stored_track(booth.database).id, VoterKind.PERSON).votes
    assert list(votes["outcome"]) == [0, 1, 3, 2]
    with booth.database.reading() as session:
        rows = session.execute(
            select(Battle).join(Vote, Vote.battle_id == Battle.id).where(Vote.choice != Choice.SKIP)
        ).scalars()
        models = [(each.clip_a.entrant_id, each.clip_b.entrant_id) for each in rows]
    entrants = np.array(reader.arrays.entrants)
    assert list(zip(entrants[votes["left"]], entrants[votes["right"]], strict=True)) == models


def test_a_batch_ends_where_it_ends_and_the_next_goes_on(
    booth: Booth, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vote_reader, "BATCH", 2)
    for choice in ("a", "b", "a", "b", "a"):
        booth.vote(choice)
    assert read(booth.database, VoteReader(VoteArrays())) == 5


def hide(booth: Booth) -> None:
    """Cast three votes, the second of which is not visible yet, as before its commit."""
    for choice in ("a", "b", "tie"):
        booth.vote(choice)
    renumber(booth.database, 2, -2)


def show(booth: Booth) -> None:
    """Make the second vote visible, as its commit does."""
    renumber(booth.database, -2, 2)


def test_a_vote_that_is_committed_after_a_later_one_is_counted_once(booth: Booth) -> None:
    hide(booth)
    reader = VoteReader(VoteArrays())
    assert read(booth.database, reader) == 2
    assert set(reader.arrays.gaps) == {2}
    show(booth)
    assert read(booth.database, reader) == 3
    assert read(booth.database, reader) == 3
    assert reader.arrays.gaps == {}


def test_votes_wait_for_a_smaller_number_so_that_the_watermark_covers_it(booth: Booth) -> None:
    hide(booth)
    reader = VoteReader(VoteArrays(), hold_s=1000.0)
    assert read(booth.database, reader) == 1
    assert reader.arrays.watermark == 1
    show(booth)
    assert read(booth.database, reader) == 3
    assert reader.arrays.watermark == 3


def test_a_number_that_is_never_used_delays_later_votes_for_seconds_only(booth: Booth) -> None:
    hide(booth)
    reader = VoteReader(VoteArrays(), hold_s=1000.0)
    assert read(booth.database, reader) == 1
    reader.hold_s = 0.0
    assert read(booth.database, reader) == 2
    reader.arrays.gaps = dict.fromkeys(reader.arrays.gaps, 0.0)  # minutes later
    read(booth.database, reader)
    assert reader.arrays.gaps == {}


def repeat_last_vote(booth: Booth, choice: str) -> None:
    """Show the pair of the first vote to the same voter again, with its sides swapped."""
    booth.vote(choice)
    with booth.database.writing() as session:
        first, *_, last = session.scalars(select(Battle).join(Vote).order_by(Vote.id))
        last.repeat_of = first.id
        last.prompt_id = first.prompt_id
        last.clip_a_id, last.clip_b_id = first.clip_b_id, first.clip_a_id


@pytest.mark.parametrize(("again", "expected"), [("b", 0), ("a", 1), ("tie", 2)])
def test_a_repeat_counts_as_no_vote_and_is_read_from_the_sides_of_the_first_answer(
    booth: Booth, again: str, expected: int
) -> None:
    booth.vote("a")
    repeat_last_vote(booth, again)
    reader = VoteReader(VoteArrays())
    assert read(booth.database, reader) == 1
    repeats = reader.arrays.pool(stored_track(booth.database).id, VoterKind.PERSON).repeats
    assert (repeats["answer"].tolist(), repeats["again"].tolist()) == ([0], [expected])


def save(database: Database, path: Path) -> VoteArrays:
    reader = VoteReader(VoteArrays())
    read(database, reader)
    with database.reading() as session:
        save_arrays(path, reader.arrays, session)
    return reader.arrays


def load(database: Database, path: Path) -> VoteArrays | None:
    with database.reading() as session:
        return load_arrays(path, session)


def test_the_file_gives_the_same_arrays_and_later_votes_are_added(
    booth: Booth, tmp_path: Path
) -> None:
    for choice in ("a", "b", "tie"):
        booth.vote(choice)
    repeat_last_vote(booth, "a")
    path = tmp_path / "votes.npz"
    saved, loaded = save(booth.database, path), load(booth.database, path)
    assert loaded is not None
    assert (loaded.watermark, loaded.entrants, loaded.prompts, loaded.rows) == (
        *(saved.watermark, saved.entrants, saved.prompts),
        saved.rows,
    )
    for key, pool in saved.pools.items():
        for name, values in pool.votes.arrays().items():
            assert np.array_equal(loaded.pools[key].votes[name], values)
    booth.vote("b")
    assert read(booth.database, VoteReader(loaded)) == 4


def test_a_file_that_is_lost_cut_short_or_something_else_is_ignored(
    booth: Booth, tmp_path: Path
) -> None:
    booth.vote("a")
    path = tmp_path / "votes.npz"
    assert load(booth.database, path) is None
    save(booth.database, path)
    content = path.read_bytes()
    for wrong in (b"", b"not a file of arrays", content[: len(content) // 2], content[:-1]):
        path.write_bytes(wrong)
        assert load(booth.database, path) is None
    changed = bytearray(content)
    changed[len(changed) // 2] ^= 0xFF
    path.write_bytes(changed)
    assert load(booth.database, path) is None


def test_the_file_of_another_database_is_ignored(booth: Booth, tmp_path: Path) -> None:
    booth.vote("a")
    path = tmp_path / "votes.npz"
    save(booth.database, path)
    (tmp_path / "other").mkdir()
    other = new_database(tmp_path / "other")
    fill_small_arena(other)
    Booth(other).vote("a")
    assert load(other, path) is None
    other.dispose()


def test_a_folder_that_cannot_be_written_prevents_nothing(booth: Booth, tmp_path: Path) -> None:
    booth.vote("a")
    assert save(booth.database, tmp_path / "missing" / "votes.npz").rows == 1
