"""The catalog in memory shows what the database has, and costs a vote nothing as it grows."""

from collections.abc import Callable

import pytest
from sqlalchemy import delete, event, select
from sqlalchemy.orm import Session

from arena.catalog import retirement
from arena.catalog.entrants import add_entrant, find_entrant
from arena.catalog.index import CatalogIndex, catalog_index
from arena.catalog.prompts import find_prompt, import_prompts
from arena.catalog.schemas import PromptEntry
from arena.catalog.tracks import close_track, find_track
from arena.catalog.withholding import restore_clip, withhold_clip
from arena.catalog_version import read_version
from arena.database import Database
from arena.models import Clip, ClipStatus, PromptCategory, Track, WithheldCause
from small_arena import NAMES, PROMPTS, START, TRACK, Booth, entrant_entry, ready_clip


def shown(index: CatalogIndex, session: Session) -> set[tuple[str, str]]:
    """The name of the entrant and the prompt of each clip that may be shown."""
    track = index.of(session, index.tracks_by_name[TRACK].id)
    clips = [track.clips[clip_id] for clip_id in track.shown]
    return {(index.entrants[clip.entrant_id].name, clip.prompt_id) for clip in clips}


ALL = {(name, prompt) for name in NAMES for prompt in PROMPTS}


def first_clip(session: Session) -> Clip:
    track = find_track(session, TRACK)
    return session.scalars(
        select(Clip).where(Clip.track_id == track.id).order_by(Clip.id).limit(1)
    ).one()


def retire_an_entrant(session: Session) -> None:
    retirement.retire(session, find_entrant(session, "alder"), now=START)


def retire_a_prompt(session: Session) -> None:
    retirement.retire(session, find_prompt(session, "p-1"), now=START)


def close_the_track(session: Session) -> None:
    close_track(session, find_track(session, TRACK), now=START)


def withhold_a_clip(session: Session) -> None:
    clip = first_clip(session)
    withhold_clip(session, clip, cause=WithheldCause.OPERATOR, reason="asked", now=START)


def fail_a_clip(session: Session) -> None:
    clip = first_clip(session)
    clip.status, clip.rendition_path, clip.sha256 = ClipStatus.FAILED, None, None


def delete_the_clips(session: Session) -> None:
    session.execute(delete(Clip))


def remove_a_category(session: Session) -> None:
    session.execute(delete(PromptCategory))


def add_an_entrant(session: Session) -> None:
    add_entrant(session, entrant_entry("Dogwood"), now=START)


def hide_the_names(session: Session) -> None:
    find_entrant(session, "alder").codename = "Grey Colt"


CHANGES = [
    retire_an_entrant,
    retire_a_prompt,
    close_the_track,
    withhold_a_clip,
    fail_a_clip,
    delete_the_clips,
    remove_a_category,
    add_an_entrant,
    hide_the_names,
]


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_of_the_catalog_gives_it_another_version(
    arena_database: Database, change: Callable[[Session], None]
) -> None:
    with arena_database.reading() as session:
        before = read_version(session)
        assert shown(catalog_index(session), session) == ALL
    with arena_database.writing() as session:
        change(session)
    with arena_database.reading() as session:
        assert read_version(session) != before
        index = catalog_index(session)
        assert index.version == read_version(session)
        fresh = CatalogIndex(session, index.version)
        assert shown(index, session) == shown(fresh, session)
        assert (index.tracks, index.prompts) == (fresh.tracks, fresh.prompts)
        assert index.entrants == fresh.entrants


def test_battles_and_votes_leave_the_version_alone(booth: Booth) -> None:
    booth.vote("a")
    with booth.database.reading() as session:
        before = read_version(session)
    booth.vote("skip")
    with booth.database.reading() as session:
        assert read_version(session) == before


def test_a_change_that_is_rolled_back_is_never_shown_to_others(arena_database: Database) -> None:
    with arena_database.reading() as session:
        before = catalog_index(session).version
    with pytest.raises(ZeroDivisionError), arena_database.writing() as session:
        retire_an_entrant(session)
        assert shown(catalog_index(session), session) != ALL
        raise ZeroDivisionError
    with arena_database.reading() as session:
        index = catalog_index(session)
        assert index.version == before
        assert shown(index, session) == ALL


def test_a_withheld_clip_is_shown_again_once_it_is_restored(arena_database: Database) -> None:
    with arena_database.writing() as session:
        withhold_a_clip(session)
        number = first_clip(session).id
    with arena_database.writing() as session:
        assert len(shown(catalog_index(session), session)) == len(ALL) - 1
        restore_clip(session, number)
    with arena_database.reading() as session:
        assert shown(catalog_index(session), session) == ALL


def test_a_large_catalog_is_not_read_again_for_every_change(
    arena_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arena.catalog.index.FEW_CLIPS", 3)
    monkeypatch.setattr("arena.catalog.index.MAX_AGE_S", 3600.0)
    with arena_database.writing() as session:
        assert shown(catalog_index(session, exact=True), session) == ALL
    with arena_database.writing() as session:
        retire_an_entrant(session)
    with arena_database.reading() as session:
        assert catalog_index(session).version != read_version(session)
        assert catalog_index(session, exact=True).version == read_version(session)


def statements_of_a_vote(booth: Booth) -> list[str]:
    """The statements that a vote and its next battle take."""
    battle = booth.ask()
    booth.wait(1)
    found: list[str] = []

    def note(_c: object, _u: object, statement: str, *_rest: object) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA busy_timeout")):  # they have a time limit
            found.append(statement)

    event.listen(booth.database.engine, "before_cursor_execute", note)
    booth.cast(battle.token, "a")
    event.remove(booth.database.engine, "before_cursor_execute", note)
    return found


def test_a_vote_takes_the_same_statements_however_many_clips_and_votes_there_are(
    booth: Booth,
) -> None:
    booth.vote("a")  # the first one also makes a visitor a voter
    few = statements_of_a_vote(booth)
    for number in range(8):
        other = Booth(booth.database, key=f"{number}" * 32)
        for _ in range(6):
            other.vote("b")
    with booth.database.writing() as session:
        entries = [
            PromptEntry(id=f"more-{number}", text="More", tracks=(TRACK,)) for number in range(40)
        ]
        import_prompts(session, entries, now=START)
        track = session.scalars(select(Track).where(Track.name == TRACK)).one()
        for entrant in track.entrants:
            for entry in entries:
                session.add(ready_clip(track, entrant, entry.id))
    booth.ask()  # reads the new catalog
    assert statements_of_a_vote(booth) == few
    assert len(few) <= 12


@pytest.mark.databases("sqlite")
def test_a_transaction_that_began_before_a_change_leaves_nothing_in_the_index(
    arena_database: Database,
) -> None:
    with arena_database.reading() as old:
        read_version(old)  # from here on it sees the catalog as it is now
        with arena_database.writing() as session:
            withhold_a_clip(session)
        with arena_database.reading() as session:
            index = catalog_index(session)
        assert shown(index, old) == ALL
    with arena_database.reading() as session:
        assert len(shown(index, session)) == len(ALL) - 1
