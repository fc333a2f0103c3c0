"""The story of a codename: it leads, nothing names it before its claim, and a stranger checks it.

Its clips are rows with measures here, of which the codename's are the best; that the built-in
models make such clips is what `arena demo --story` shows.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from clip_rows import ready_row
from sqlalchemy import select
from typer.testing import CliRunner

from arena.catalog.openings import opening_path
from arena.commands import story
from arena.commands.cli import app
from arena.commands.generating import Produced
from arena.commands.story import BEFORE, CODENAME, MAKER, NAME, Extent, open_story, tell
from arena.context import Arena, utc_now
from arena.errors import ReleaseError
from arena.models import Entrant, Vote
from arena.production import PendingClip
from arena.settings import Settings

EXTENT = Extent(prompts=12, votes=400, voters=12, open_entrants=("foal-xxs.toml", "foal-xs.toml"))

SHORT = replace(EXTENT, prompts=3, votes=20, voters=4)  # where its end does not matter


@pytest.fixture(autouse=True, scope="module")
def _rows_for_clips() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(story, "generate_pending", _make_rows)
        yield


@pytest.fixture(scope="module")
def finished(
    _rows_for_clips: None, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Arena, list[str]]:
    """The arena of the story, and its sentences."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("arena.voting.issuing.REPEAT_SHARE", 0.0)
        opened = open_story(Settings(home=tmp_path_factory.mktemp("story")), EXTENT)
        return opened, list(tell(opened, EXTENT))


def _make_rows(arena: Arena, pending: list[PendingClip], **_options: Any) -> Produced:
    with arena.database.writing() as session:
        best = session.scalars(select(Entrant.id).where(Entrant.codename == CODENAME)).one()
        for number, item in enumerate(pending):
            quality = 0.9 if item.entrant_id == best else 0.4 + item.entrant_id % 2 / 10
            session.add(ready_row(item, number, quality=quality, created_at=utc_now()))
    return Produced(added=len(pending), reasons=())


def test_a_codename_wins_is_claimed_and_verified_by_a_stranger(
    finished: tuple[Arena, list[str]],
) -> None:
    arena, sentences = finished
    top = next(each for each in sentences if each.startswith(f"{CODENAME} (Elo"))
    assert top.endswith("their intervals do not overlap.")
    assert not any(NAME in each for each in sentences[: sentences.index(top) + 1])
    assert any("is refused" in each for each in sentences)
    opening = opening_path(arena.settings.home, CODENAME)
    assert any(str(opening) in each for each in sentences)
    assert opening.stat().st_mode & 0o777 == 0o600
    assert f"{CODENAME} is {NAME} by {MAKER}." in "".join(sentences)
    assert "1 claim checked" in sentences[-1]
    assert "as given" in sentences[-1]


def test_the_same_story_again_changes_nothing(finished: tuple[Arena, list[str]]) -> None:
    arena, first = finished
    with arena.database.reading() as session:
        votes = session.scalars(select(Vote.id)).all()
    again = list(tell(arena, EXTENT))
    with arena.database.reading() as session:
        assert session.scalars(select(Vote.id)).all() == votes
    assert again[-1].split(" verifies")[1] == first[-1].split(" verifies")[1]


def test_a_release_that_names_the_model_before_its_claim_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arena = open_story(Settings(home=tmp_path), SHORT)
    publish = story.publish_release

    def careless(arena: Arena, *, release_id: str, **options: Any) -> Any:
        published = publish(arena, release_id=release_id, **options)
        (arena.settings.home / "releases" / release_id / "notes.txt").write_text(f"of {MAKER}")
        return published

    monkeypatch.setattr(story, "publish_release", careless)
    with pytest.raises(ReleaseError, match=r"notes\.txt says what Grey Colt is"):
        list(tell(arena, SHORT))
    assert (arena.settings.home / "releases" / BEFORE).is_dir()


def test_the_command_tells_numbered_sentences(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARENA_HOME", str(tmp_path))
    monkeypatch.setattr(story, "tell", lambda *_args, **_values: iter(["It begins.", "It ends."]))
    done = CliRunner().invoke(app, ["demo", "--story", "--no-serve"])
    assert done.exit_code == 0, done.output
    assert "1. It begins." in done.output
    assert "2. It ends." in done.output
    assert (tmp_path / "story" / "arena.sqlite").is_file()
