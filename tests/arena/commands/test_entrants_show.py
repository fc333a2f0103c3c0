"""`arena entrants show`: settings, clips by track and provenance; a codename hides its identity."""

import json
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from arena.catalog.entrants import add_entrant, find_entrant
from arena.commands.cli import app
from arena.context import open_arena
from arena.models import Clip, ClipStatus
from generator.media import encode_master
from playable import SIZE, bar_clip, settings_for
from small_arena import START, TRACK, entrant_entry, new_home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    opened = new_home(folder)
    with opened.writing() as session:
        clips = session.query(Clip).join(Clip.entrant).filter_by(slug="alder").order_by(Clip.id)
        for number, clip in enumerate(clips):
            clip.provenance = {
                "model": f"clip-{number}.mp4",
                "hardware": "a data centre",
                "seconds": float(number),
                "cost_usd": 0.5,
            }
        session.delete(clips[0])
        hidden = entrant_entry("Yew", codename="Grey Colt", backend={"kind": "folder", "path": "y"})
        add_entrant(session, hidden, now=START)
    opened.dispose()
    monkeypatch.setenv("ARENA_HOME", str(folder))
    return folder


def show(*words: str) -> str:
    shown = CliRunner().invoke(app, ["entrants", "show", *words], catch_exceptions=False)
    assert shown.exit_code == 0
    return shown.stdout


def test_it_shows_settings_clips_by_track_and_how_they_were_made(home: Path) -> None:
    found = json.loads(show("alder", "--format", "json"))
    assert (found["model"], found["creator"], found["state"]) == ("Alder", "Alder Labs", "active")
    assert found["backend"]["kind"] == "folder"
    (first, _) = found["tracks"]
    assert first == {"track": TRACK, "ready": 3, "missing": 1, "failed": 0, "withheld": 0}
    made = found["provenance"]
    assert made["clips"] == 7
    assert made["hardware"] == ["a data centre"]
    assert made["model"] == "7 different"
    assert (made["median_seconds"], made["cost_usd"]) == (4.0, 3.5)
    pairs = [line.split("  ", 1) for line in show("alder").splitlines()]
    lines = {pair[0]: pair[-1].strip() for pair in pairs}
    assert lines[TRACK] == "3 ready, 1 missing, 0 failed, 0 withheld"
    assert lines["backend.path"] == "/clips"


def test_a_codename_hides_what_it_hides_in_lists_unless_identities_are_asked_for(
    home: Path,
) -> None:
    hidden = show("Grey Colt", "--format", "json")
    assert not [secret for secret in ("Yew", "yew", "MIT") if secret in hidden]
    found = json.loads(hidden)
    assert (found["model"], found["slug"], found["backend"]) == ("Grey Colt", "Grey Colt", None)
    opened = json.loads(show("Grey Colt", "--identities", "--format", "json"))
    assert (opened["model"], opened["creator"]) == ("Yew", "Yew Labs")
    assert opened["backend"]["kind"] == "folder"


def test_an_unknown_entrant_is_one_sentence(home: Path) -> None:
    shown = CliRunner().invoke(app, ["entrants", "show", "nobody"])
    assert "No entrant is named 'nobody'" in str(shown.exception)


def store_master(home: Path, entrant: str) -> None:
    """Give the first clip of an entrant a master, as a clip that cannot be shown has it."""
    arena = open_arena(settings_for(home))
    path = arena.store.put(encode_master(bar_clip(1)), folder="masters", suffix=".mkv")
    with arena.database.writing() as session:
        row = find_entrant(session, entrant)
        clip = session.query(Clip).filter_by(entrant_id=row.id).order_by(Clip.id).first()
        if clip is None:
            track = row.tracks[0]
            clip = Clip(entrant_id=row.id, track_id=track.id, prompt_id="p-1", seed=0)
            clip.status, clip.created_at, clip.failure = ClipStatus.FAILED, START, "shows a name"
            session.add(clip)
        clip.master_path = path
    arena.database.dispose()


def test_it_writes_the_picture_of_the_first_clip_as_it_was_delivered(home: Path) -> None:
    store_master(home, "alder")
    path = home / "pictures" / "alder.png"
    shown = show("alder")
    assert f"{path} shows its first clip as it came: look for visible marks" in shown
    assert json.loads(show("alder", "--format", "json"))["picture"] == str(path)
    picture = Image.open(path)
    assert (picture.format, picture.size) == ("PNG", (SIZE, SIZE))
    middle = bar_clip(1).frames[12]
    assert picture.convert("RGB").getpixel((0, 0)) == tuple(middle[0, 0])


def test_the_picture_of_a_codename_does_not_have_the_name_of_the_model(home: Path) -> None:
    store_master(home, "Yew")
    assert str(home / "pictures" / "grey-colt.png") in show("Grey Colt")
    assert [path.name for path in (home / "pictures").iterdir()] == ["grey-colt.png"]


def test_a_clip_that_cannot_be_read_is_one_sentence_and_the_rest_is_shown(home: Path) -> None:
    shown = json.loads(show("alder", "--format", "json"))
    assert shown["picture"] is None
    (sentence,) = [note for note in shown["notes"] if "picture" in note]
    assert sentence.startswith("The picture of clip")
    assert "media store" in sentence


def test_an_entrant_without_clips_has_no_picture(home: Path) -> None:
    assert json.loads(show("Grey Colt", "--format", "json"))["picture"] is None
    assert not (home / "pictures").exists()
