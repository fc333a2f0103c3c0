"""A person opens the page, watches, votes by key, sees the names, and finds the vote again."""

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Page, expect
from typer.testing import CliRunner

from arena.commands.cli import app
from playable import TRACK, make_playable_arena, served
from small_arena import NAMES


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("arena")
    make_playable_arena(folder).database.dispose()
    return folder


@pytest.fixture(scope="module")
def address(home: Path) -> Iterator[str]:
    with served(home) as url:
        yield url


def test_watch_vote_reveal_leaderboard_and_export(
    page: Page, address: str, home: Path, tmp_path: Path
) -> None:
    before: list[str] = []
    page.on("response", lambda answer: before.append(answer.url))
    page.goto(address)
    ready = page.get_by_text("You can vote now")
    expect(ready).to_be_visible()
    text = page.inner_text("body")
    assert "Prompt p-" in text
    assert not any(name in text for name in NAMES), "a name before the vote"

    with page.expect_response(lambda answer: answer.url.endswith("/vote")) as answered:
        page.keyboard.press("ArrowLeft")
    vote = answered.value.json()
    assert vote["choice"] == "a"
    for side in ("a", "b"):
        expect(page.get_by_text(vote["reveal"][side]["name"]).first).to_be_visible()

    # The next pair starts by itself, without a load of the page.
    expect(page.get_by_text("You can vote now")).to_be_visible()
    assert sum(url.rstrip("/") == address for url in before) == 1

    page.goto(f"{address}/leaderboard")
    for name in NAMES:
        expect(page.get_by_role("rowheader", name=name).first).to_be_visible()

    release = tmp_path / "release"
    for command in (["export", str(release)], ["verify", str(release)]):
        done = CliRunner().invoke(app, command, env={"ARENA_HOME": str(home)})
        assert done.exit_code == 0, done.output
    votes = pd.read_csv(release / "votes.csv")
    left, right = (vote["reveal"][side]["name"] for side in ("a", "b"))
    row = votes.iloc[0]
    assert (row["model_a"], row["model_b"], row["winner"]) == (left, right, "model_a")
    assert (row["track"], row["voter_kind"]) == (TRACK, "person")
    assert row["watched_a_ms"] >= 900
    seals = json.loads((release / "seals.json").read_text())["seals"]
    assert len(seals) == 1, "the vote is sealed before it is released"
