"""What is retired on the command line disappears from a running server, open battles included."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from source_arena import API, TRACK, client_of, make_source_arena
from sqlalchemy import select
from typer.testing import CliRunner

from arena.commands.cli import app
from arena.context import Arena
from arena.models import Battle


@pytest.fixture
def arena(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Arena]:
    monkeypatch.setenv("ARENA_HOME", str(tmp_path))
    opened = make_source_arena(tmp_path)
    yield opened
    opened.database.dispose()


def run(*words: str) -> None:
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output


Words = Callable[[Battle], tuple[str, ...]]
RETIRE: dict[str, tuple[Words, Words]] = {
    "clip": (
        lambda battle: ("clips", "retire", str(battle.clip_a_id), "--reason", "shows a logo"),
        lambda battle: ("clips", "restore", str(battle.clip_a_id)),
    ),
    "entrant": (
        lambda battle: ("entrants", "retire", battle.clip_a.entrant.slug),
        lambda battle: ("entrants", "restore", battle.clip_a.entrant.slug),
    ),
    "prompt": (
        lambda battle: ("prompts", "retire", battle.prompt_id),
        lambda battle: ("prompts", "restore", battle.prompt_id),
    ),
}


@pytest.mark.parametrize("kind", RETIRE)
def test_an_open_battle_is_replaced_at_once(arena: Arena, kind: str) -> None:
    retire, restore = RETIRE[kind]
    voter = client_of(arena)
    shown = voter.post(f"{API}/battles", json={"track": TRACK}).json()
    assert voter.get(shown["a"]["video"]).status_code == 200
    with arena.database.reading() as session:
        battle = session.scalars(select(Battle).where(Battle.token == shown["token"])).one()
        words, undo = retire(battle), restore(battle)
    run(*words)
    for side in ("a", "b"):
        assert voter.get(shown[side]["video"]).status_code == 404
    vote = voter.post(f"{API}/battles/{shown['token']}/vote", json={"choice": "a"})
    assert vote.status_code == 410
    following = voter.post(f"{API}/battles", json={"track": TRACK}).json()
    assert following["token"] != shown["token"]
    assert voter.get(following["a"]["video"]).status_code == 200
    run(*undo)
    again = voter.post(f"{API}/battles", json={"track": TRACK}).json()
    assert again["token"] == following["token"]


def test_a_closed_track_takes_no_vote_on_an_open_battle(arena: Arena) -> None:
    voter = client_of(arena)
    shown = voter.post(f"{API}/battles", json={"track": TRACK}).json()
    run("tracks", "close", TRACK)
    vote = voter.post(f"{API}/battles/{shown['token']}/vote", json={"choice": "a"})
    assert vote.status_code == 410
    assert voter.post(f"{API}/battles", json={"track": TRACK}).status_code == 409
