"""The demo always serves: what fails in it, or was added to it, is a warning."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clip_rows import ready_row
from typer.testing import CliRunner, Result

from arena import production
from arena.catalog.entrants import find_entrant
from arena.catalog.prompts import list_prompts
from arena.commands import demo as steps
from arena.commands.cli import app
from arena.context import Arena, open_arena
from arena.database import Database
from arena.errors import ProductionError
from arena.models import Clip, ClipStatus, Vote
from arena.settings import Settings
from arena.simulation import simulate
from arena.web.server.listening import listen
from generator.clips import ClipRequest, FailedClip, Master
from small_arena import NAMES, START, TRACK, fill_small_arena, new_database

OWN = Path("foal-xs.toml")


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Arena]:
    """The arenas that were served."""
    arenas: list[Arena] = []
    monkeypatch.setattr(
        "arena.commands.serving._serve", lambda arena, **options: arenas.append(arena)
    )
    return arenas


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A demo whose clips exist already, as rows without files, all but one of Foal XS."""
    folder = tmp_path / "home"
    monkeypatch.setenv("ARENA_HOME", str(folder))
    monkeypatch.setattr(steps, "SIMULATED_VOTES", 40)
    arena, _ = steps.prepare(Settings(home=folder))
    with arena.database.writing() as session:
        pending = production.find_pending(session, seed_key="key")
        left_out = next(item for item in pending if item.request.entrant.slug == "foal-xs")
        for number, item in enumerate(pending):
            if item is left_out:
                continue
            quality = (item.entrant_id % 5) / 5
            session.add(ready_row(item, number, quality=quality, created_at=START))
    return folder


def fail_all(*_args: Any, **_options: Any) -> Any:
    raise ProductionError("The model cannot be loaded.")


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["demo", "--port", "0", *words])


def test_a_failed_clip_of_the_demo_is_a_warning(
    home: Path, served: list[Arena], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_database: Any, _store: Any, pending: Any, **_options: Any) -> Iterator[FailedClip]:
        for item in pending:
            yield FailedClip(item.request, "The clip is black.")

    monkeypatch.setattr(production, "produce", fail)
    done = run()
    assert done.exit_code == 0, done.output
    assert "Warning: 1 clip failed: `arena failures` lists them." in done.output
    assert len(served) == 1


def test_a_demo_that_can_generate_nothing_is_served(
    home: Path, served: list[Arena], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(production, "produce", fail_all)
    done = run()
    assert done.exit_code == 0, done.output
    assert "Warning: The model cannot be loaded." in done.output
    assert len(served) == 1


def test_a_clip_that_the_model_made_and_that_cannot_be_shown_is_not_made_at_every_start(
    home: Path, served: list[Arena], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def freeze(requests: list[ClipRequest], **_options: Any) -> Iterator[FailedClip]:
        for request in requests:
            asked.append(request.prompt_id)
            yield FailedClip(request, "The clip is frozen.", master=Master(b"frozen", ".mkv"))

    monkeypatch.setattr("arena.production.produce_clips.generate", freeze)
    assert "Warning: 1 clip failed: `arena failures` lists them." in run().output
    again = run()
    assert len(asked) == 1
    assert again.exit_code == 0, again.output
    assert (
        "Warning: 1 clip failed in an earlier start and is not tried again: `arena failures` says "
        "why, `arena generate` tries again."
    ) in " ".join(again.output.split())
    assert len(served) == 2
    assert CliRunner().invoke(app, ["generate"]).exit_code == 1
    assert len(asked) == 2


def test_a_clip_whose_generation_was_cut_short_is_tried_at_the_next_start(
    home: Path, served: list[Arena], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def die(requests: list[ClipRequest], **_options: Any) -> Iterator[FailedClip]:
        for request in requests:
            asked.append(request.prompt_id)
            yield FailedClip(request, "The process was killed.")

    monkeypatch.setattr("arena.production.produce_clips.generate", die)
    run()
    assert "not tried again" not in run().output
    assert len(asked) == 2


def test_an_entrant_added_to_the_demo_with_a_clip_missing_does_not_stop_it(
    home: Path, served: list[Arena], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "clips").mkdir()
    (tmp_path / "mine.toml").write_text(
        'name = "Mine"\ncreator = "Me"\nlicence = "MIT"\ntracks = ["text-to-video"]\n'
        f'[backend]\nkind = "folder"\npath = "{tmp_path / "clips"}"\n'
    )
    added = CliRunner().invoke(app, ["entrants", "add", str(tmp_path / "mine.toml")])
    assert added.exit_code == 0, added.output
    asked: list[str] = []

    def produce(_database: Any, _store: Any, pending: Any, **_options: Any) -> Iterator[FailedClip]:
        asked.extend(item.request.entrant.slug for item in pending)
        yield from (FailedClip(item.request, "Not now.") for item in pending)

    monkeypatch.setattr(production, "produce", produce)
    # A clip of the entrant that no measure covers, in a track that simulated voters judge.
    opened = open_arena(Settings(home=home))
    with opened.database.writing() as session:
        mine = find_entrant(session, "mine")
        prompt = next(each for each in list_prompts(session) if mine.tracks[0] in each.tracks)
        session.add(
            Clip(
                entrant_id=mine.id,
                track_id=mine.tracks[0].id,
                prompt_id=prompt.id,
                seed=0,
                status=ClipStatus.READY,
                rendition_path="renditions/mine",
                sha256="f" * 64,
                created_at=START,
            )
        )
    done = run()
    assert done.exit_code == 0, done.output
    assert asked == ["foal-xs"]
    assert "Added 40 simulated votes" in done.output
    assert len(served) == 1


def test_a_retired_entrant_of_the_demo_stays_retired(home: Path, served: list[Arena]) -> None:
    assert CliRunner().invoke(app, ["entrants", "retire", "foal-xs"]).exit_code == 0
    done = run()
    assert done.exit_code == 0, done.output
    opened = open_arena(Settings(home=home))
    with opened.database.reading() as session:
        assert find_entrant(session, "foal-xs").retired_at is not None


def test_the_first_line_comes_before_anything_is_loaded(
    home: Path, served: list[Arena], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(production, "produce", fail_all)
    assert run().output.startswith("Starting the demo.\n")


def test_serve_says_at_once_that_it_starts_and_leaves_stdout_to_the_address(
    home: Path, served: list[Arena]
) -> None:
    for words, sentence in (
        ((), "Starting the arena (1 process)...\n"),
        (("--workers", "2"), "Starting the arena (2 processes)...\n"),
    ):
        done = CliRunner().invoke(app, ["serve", *words])
        assert (done.stderr, done.stdout) == (sentence, "")
    assert len(served) == 2


def test_simulated_voters_can_be_limited_to_some_entrants(tmp_path: Path) -> None:
    opened: Database = new_database(tmp_path)
    fill_small_arena(opened)
    with opened.writing() as session:
        own = frozenset(find_entrant(session, name).id for name in NAMES[:2])
        for clip in session.query(Clip).where(Clip.entrant_id.not_in(own)):
            clip.measures = None
    done = simulate(
        opened, votes=30, track=TRACK, voters=5, seed=0, entrants=own, now=START, on_vote=lambda: 0
    )
    assert done == 30
    with opened.reading() as session:
        for vote in session.query(Vote).where(Vote.choice != "skip"):
            assert {vote.battle.clip_a.entrant_id, vote.battle.clip_b.entrant_id} == own
    opened.dispose()


def test_a_taken_port_is_said_before_clips_are_generated(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(production, "produce", lambda *_args, **_options: asked.append(1))
    with listen("127.0.0.1", 0) as taken:
        port = str(taken.getsockname()[1])
        done = CliRunner().invoke(app, ["demo", "--port", port])
    assert str(done.exception) == f"Port {port} is in use: choose another with --port or PORT."
    assert asked == []


def test_a_start_says_what_it_generates() -> None:
    first = steps.describe_work(0, 160)
    assert first.startswith("The first start generates 160 clips")
    assert "idle CPU cores, longer if" in first
    resumed = steps.describe_work(157, 3)
    assert resumed.startswith("157 of 160 clips exist; this start generates the other 3.")
    assert "minutes" not in resumed
    assert "generates the last one." in steps.describe_work(159, 1)


def test_a_demo_that_does_not_serve_names_the_command_that_does(
    home: Path, served: list[Arena], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "fill", lambda *_args, **_options: [])
    done = CliRunner().invoke(app, ["demo", "--no-serve"], catch_exceptions=False)
    assert not served
    assert done.stdout.strip().endswith("Next: `arena serve`.")
