"""What can be added to the catalog, and the sentence for what cannot."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError
from sqlalchemy.orm import Session

from arena.catalog import retirement
from arena.catalog.entrants import add_entrant, find_entrant, list_entrants
from arena.catalog.prompts import find_prompt, import_prompts, list_prompts
from arena.catalog.schemas import EntrantEntry, PromptEntry, read_prompts, read_track
from arena.catalog.tracks import Change, add_track, list_tracks
from arena.database import Database
from arena.errors import CatalogError, NotFound
from arena.models import Clip, ClipStatus, Modality
from arena.production import find_pending, read_entrant_file
from arena.shipped import Collection, prompt_file, track_files
from small_arena import NAMES, START, TRACK, entrant_entry, track_entry


@pytest.mark.parametrize("collection", Collection)
def test_the_shipped_tracks_and_prompts_are_valid(collection: Collection) -> None:
    tracks = [read_track(path) for path in track_files(collection)]
    kinds = [*Modality]
    if collection is Collection.CONTEST:
        kinds = ["text-to-video", "text-to-video-10s"]  # type: ignore[list-item]
    names = [f"{kind}{sound}" for kind in kinds for sound in ("", "-audio")]
    assert [track.name for track in tracks] == names
    assert [track.audio for track in tracks] == [name.endswith("-audio") for name in names]
    sizes = {(track.width, track.height, track.fps, track.frames) for track in tracks}
    expected = {
        Collection.STANDARD: {(1280, 720, 24, 120)},
        Collection.DEMO: {(256, 256, 24, 72)},
        Collection.CONTEST: {(1920, 1080, 24, 120), (1920, 1080, 24, 240)},
    }
    assert sizes == expected[collection]
    assert len(read_prompts(prompt_file(collection))) >= 12


def test_the_watch_time_defaults_to_the_clips_length(tmp_path: Path) -> None:
    text = track_files(Collection.DEMO)[0].read_text()
    assert read_track(track_files(Collection.DEMO)[0]).min_watch_ms == 3000
    (tmp_path / "t.toml").write_text(text + "min_watch_ms = 500\n")
    assert read_track(tmp_path / "t.toml").min_watch_ms == 500


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (lambda text: text.replace("fps = 24\n", ""), "'fps' is missing"),
        (lambda text: text + "colour = 1\n", "'colour' is unknown"),
        (lambda text: text.replace("fps = 24", "fps = 0"), "fps = 0"),
        (lambda text: text.replace('"half"', '"thirds"'), "ties"),
        (lambda text: text + 'prompt_rewriting = "on"\n', "one of maker-default, off"),
        (lambda text: "name = ", "not TOML"),
    ],
)
def test_an_error_in_a_track_file_names_file_and_key(
    tmp_path: Path, edit: Callable[[str], str], sentence: str
) -> None:
    path = tmp_path / "track.toml"
    path.write_text(edit(track_files(Collection.DEMO)[0].read_text()))
    with pytest.raises(CatalogError, match=sentence) as refused:
        read_track(path)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_adding_the_same_entries_again_changes_nothing(arena_database: Database) -> None:
    with arena_database.writing() as session:
        assert add_track(session, track_entry(), now=START).change is Change.UNCHANGED
        for name in NAMES:
            again = add_entrant(session, entrant_entry(name), now=START)
            assert again.change is Change.UNCHANGED
        assert len(list_tracks(session)) == 2
        assert len(list_entrants(session)) == len(NAMES)


def test_a_tracks_settings_never_change(arena_database: Database) -> None:
    with (
        pytest.raises(CatalogError, match="fps = 24, not 30"),
        arena_database.writing() as session,
    ):
        add_track(session, track_entry(fps=30), now=START)


def test_an_entrant_of_an_unknown_track_is_not_added(arena_database: Database) -> None:
    entry = entrant_entry("Dogwood", tracks=(TRACK, "smell-to-video"))
    with pytest.raises(CatalogError, match="smell-to-video"), arena_database.writing() as session:
        add_entrant(session, entry, now=START)
    with arena_database.reading() as session, pytest.raises(NotFound):
        find_entrant(session, "dogwood")


def test_another_version_needs_another_name(arena_database: Database) -> None:
    entry = entrant_entry("Alder", licence="GPL-3.0")
    with pytest.raises(CatalogError, match="another name"), arena_database.writing() as session:
        add_entrant(session, entry, now=START)


def test_settings_can_be_replaced_until_a_clip_was_made_with_them(arena_database: Database) -> None:
    wrong = entrant_entry("Dogwood", codename="Grey Mare")
    with arena_database.writing() as session:
        assert add_entrant(session, wrong, now=START).change is Change.ADDED
        session.add(failed_clip(session, "dogwood"))
    right = entrant_entry("Dogwood", codename="Grey Colt", licence="GPL-3.0")
    with arena_database.writing() as session:
        corrected = add_entrant(session, right, now=START)
        assert (corrected.change, corrected.new_settings) == (Change.UPDATED, True)
        assert add_entrant(session, right, now=START).change is Change.UNCHANGED
        assert find_entrant(session, "Grey Colt").licence == "GPL-3.0"
    taken = entrant_entry("Dogwood", codename="Alder")
    with pytest.raises(CatalogError, match="taken"), arena_database.writing() as session:
        add_entrant(session, taken, now=START)


def failed_clip(session: Session, slug: str) -> Clip:
    entrant = find_entrant(session, slug)
    return Clip(
        entrant_id=entrant.id,
        track_id=entrant.tracks[0].id,
        prompt_id="p-1",
        seed=0,
        status=ClipStatus.FAILED,
        failure="It failed.",
        created_at=START,
    )


def test_retired_items_stay_listed_and_get_no_more_clips(arena_database: Database) -> None:
    entry = entrant_entry("Dogwood")
    with arena_database.writing() as session:
        entrant = add_entrant(session, entry, now=START).entrant
        pending = len(find_pending(session, seed_key="key"))
        assert retirement.retire(session, find_prompt(session, "p-1"), now=START)
        assert len(find_pending(session, seed_key="key")) == pending - 2  # in two tracks
        assert retirement.retire(session, entrant, now=START)
        assert not retirement.retire(session, entrant, now=START)
        assert find_pending(session, seed_key="key") == []
        assert entrant in list_entrants(session)
        with pytest.raises(NotFound, match="prompts list"):
            find_prompt(session, "p-none")
    with pytest.raises(CatalogError, match="is retired"), arena_database.writing() as session:
        add_entrant(session, entry, now=START)


def test_a_name_cannot_be_the_codename_of_another_entrant(arena_database: Database) -> None:
    with arena_database.writing() as session:
        add_entrant(session, entrant_entry("Grey Mare", codename="Grey Colt"), now=START)
    with pytest.raises(CatalogError, match="taken"), arena_database.writing() as session:
        add_entrant(session, entrant_entry("Grey Colt"), now=START)


@pytest.mark.parametrize("category", ["overall", "a;b", " "])
def test_reserved_and_empty_categories_are_refused(category: str) -> None:
    with pytest.raises(ValidationError, match="category"):
        PromptEntry(id="p", text="Text", categories=(category,))


def test_a_codename_is_found_by_its_slug_unless_that_names_another_entrant(
    arena_database: Database,
) -> None:
    def find(name: str) -> str:
        with arena_database.reading() as session:
            return find_entrant(session, name).name

    def add(name: str, **values: object) -> None:
        with arena_database.writing() as session:
            add_entrant(session, entrant_entry(name, **values), now=START)

    add("Dogwood", codename="Grey  Colt!")
    add("Cypress", codename="!!")
    assert find("grey-colt") == "Dogwood"
    for name in ("grey", "Grey-Colt", "", "-"):
        with pytest.raises(NotFound):
            find(name)
    add("Elm", codename="Grey-Colt")
    assert find("Grey-Colt") == "Elm"
    with pytest.raises(NotFound):  # of two codenames
        find("grey-colt")
    add("grey-colt", slug="fir")
    assert find("grey-colt") == "grey-colt"


@pytest.mark.parametrize("name", ["grey-colt", "Grey Mare", "Grey Colt"])
def test_an_entrant_is_found_by_slug_name_or_codename(arena_database: Database, name: str) -> None:
    entry = entrant_entry("Grey Mare", slug="grey-colt", codename="Grey Colt")
    with arena_database.writing() as session:
        added = add_entrant(session, entry, now=START).entrant
        assert find_entrant(session, name).id == added.id
        assert (added.shown_name, added.shown_creator) == ("Grey Colt", None)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("id,words\n1,hello\n", "no column 'text'"),
        ("id,text,mood\n1,hello,sad\n", "column 'mood'"),
        ("id,text\n1,\n", "row 1: the key 'text' is missing"),
        ("id,text\n1,a\n1,b\n", "row 2: the id '1' was used in row 1"),
        ("id,text,private\n1,a,perhaps\n", "row 1: private"),
        ("id,text,source\n1,a,nowhere.png\n", "row 1: the source"),
    ],
)
def test_an_error_in_a_prompt_file_names_its_row(
    tmp_path: Path, content: str, sentence: str
) -> None:
    path = tmp_path / "prompts.csv"
    path.write_text(content)
    with pytest.raises(CatalogError, match=sentence):
        read_prompts(path)


def test_csv_and_json_lines_are_equivalent(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(
        'id,text,categories,tracks,private\n007,"A hat, red","a;b",text-to-video,true\n'
    )
    (tmp_path / "p.jsonl").write_text(
        '{"id": "007", "text": "A hat, red", "categories": ["a", "b"], '
        '"tracks": "text-to-video", "private": true}\n'
    )
    expected = PromptEntry(
        id="007",
        text="A hat, red",
        categories=("a", "b"),
        tracks=("text-to-video",),
        private=True,
    )
    assert read_prompts(tmp_path / "p.csv") == [expected] == read_prompts(tmp_path / "p.jsonl")


def test_importing_prompts_is_all_or_nothing(arena_database: Database) -> None:
    entries = [
        PromptEntry(id="new", text="New"),
        PromptEntry(id="p-1", text="Not what it was"),
    ]
    with pytest.raises(CatalogError, match="another text"), arena_database.writing() as session:
        import_prompts(session, entries, now=START)
    with arena_database.writing() as session:
        assert "new" not in {prompt.id for prompt in list_prompts(session)}
        assert import_prompts(session, entries[:1], now=START) == (1, 0, 0)
        assert import_prompts(session, entries[:1], now=START) == (0, 1, 0)


def entry_named(folder: Path, name: str, slug: str | None = None) -> EntrantEntry:
    """The entry of a file, as `arena entrants add` reads it."""
    file = folder / "entrant.toml"
    chosen = "" if slug is None else f'slug = "{slug}"\n'
    file.write_text(
        f'name = "{name}"\n{chosen}creator = "Lab"\nlicence = "MIT"\ntracks = ["{TRACK}"]\n'
        '[backend]\nkind = "folder"\npath = "."\n',
        encoding="utf-8",
    )
    return read_entrant_file(file)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Foal Pro", "Foal Pro+"),
        ("Gen 4.5", "Gen-4/5"),
        ("可灵 2.0", "海螺 2.0"),
        ("Кандинский", "Кандинский 2"),
        ("🐎", "🦄"),
        ("Élan", "Ilan"),
    ],
)
def test_another_name_is_another_entrant(
    arena_database: Database, tmp_path: Path, first: str, second: str
) -> None:
    with arena_database.writing() as session:
        one = add_entrant(session, entry_named(tmp_path, first), now=START).entrant
        other = add_entrant(session, entry_named(tmp_path, second), now=START).entrant
        assert one.id != other.id
        assert one.slug != other.slug
        for entrant in (one, other):
            assert entrant.slug.isascii()
            assert find_entrant(session, entrant.slug) is entrant
            assert find_entrant(session, entrant.name) is entrant
            again = add_entrant(session, entry_named(tmp_path, entrant.name), now=START)
            assert (again.entrant, again.change) == (entrant, Change.UNCHANGED)


def test_both_unicode_forms_of_a_name_are_one_name(
    arena_database: Database, tmp_path: Path
) -> None:
    composed, decomposed = "Pouli\u0301 2", "Poulí 2"
    with arena_database.writing() as session:
        entrant = add_entrant(session, entry_named(tmp_path, composed), now=START).entrant
        slug = entrant.slug
        entrant.name = decomposed.replace("í", "i\u0301")  # as an earlier release stored it
        session.flush()
        again = add_entrant(session, entry_named(tmp_path, decomposed), now=START)
        assert again.change is Change.UNCHANGED
        assert again.entrant.slug == slug
        assert find_entrant(session, decomposed) is entrant


def test_a_slug_of_the_file_overrules_and_is_refused_if_taken(
    arena_database: Database, tmp_path: Path
) -> None:
    with arena_database.writing() as session:
        entrant = add_entrant(
            session, entry_named(tmp_path, "可灵", slug="kling"), now=START
        ).entrant
        assert entrant.slug == "kling"
        with pytest.raises(CatalogError, match=r"slug kling of Kling 3 is taken by 可灵"):
            add_entrant(session, entry_named(tmp_path, "Kling 3", slug="kling"), now=START)
        with pytest.raises(CatalogError, match="kling is the slug of the entrant 可灵"):
            add_entrant(session, entry_named(tmp_path, "kling"), now=START)


def test_a_stored_slug_never_changes(arena_database: Database, tmp_path: Path) -> None:
    with arena_database.writing() as session:
        entry = entrant_entry("Élan", slug="lan")  # as an earlier release stored it
        stored = add_entrant(session, entry, now=START).entrant
        stored.backend = {"kind": "folder", "path": str(tmp_path)}
        added = add_entrant(session, entry_named(tmp_path, "Élan"), now=START)
        assert added.entrant is stored
        assert stored.slug == "lan"
