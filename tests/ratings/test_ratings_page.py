"""docs/ratings.md: its examples run, and it documents every column, option and status."""

import re
import typing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import ratings
from ratings.cli.options import build_parser
from ratings.cli.report_kinds import REPORTS
from ratings.leaderboard import COLUMNS
from ratings.votes.columns import READ_TOO, USED

PAGE = (Path(__file__).parents[2] / "docs" / "ratings.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.S)


@pytest.fixture
def votes_file(tmp_path, monkeypatch, simulate_votes):
    """A votes.csv like that of a release, in the current folder."""
    random = np.random.default_rng(4)
    frame = simulate_votes([0, 40, 80, -60], 600, nu=0.3, random=random)
    frame["evaluation_session_id"] = [f"v{i}" for i in random.integers(40, size=len(frame))]
    frame["language"] = random.choice(["de", "en"], size=len(frame))
    times = pd.date_range("2026-01-01", periods=len(frame), freq="2h", tz="UTC")
    frame["timestamp"] = times.strftime("%Y-%m-%dT%H:%M:%SZ")
    frame.to_csv(tmp_path / "votes.csv", index=False)
    monkeypatch.chdir(tmp_path)


def test_every_example_runs(votes_file):
    assert len(EXAMPLES) == 2
    names: dict[str, typing.Any] = {}
    for example in EXAMPLES:
        exec(example, names)  # noqa: S102 - our own page
    assert names["spread"].cluster == "evaluation_session_id"
    assert set(names["each"]["language"]) == {"de", "en"}
    assert names["history"].cluster == "evaluation_session_id"
    assert names["screening"].by == "evaluation_session_id"


def test_the_usage_lists_the_options():
    usage = PAGE.split("python -m ratings VOTES.csv [MORE")[1].split("```")[0]
    options = {text for action in build_parser()._actions for text in action.option_strings}
    assert set(re.findall(r"--[a-z-]+", usage)) == options - {"-h", "--help"}
    assert f"--report {'|'.join(REPORTS)}" in usage


def test_every_column_is_documented():
    text = re.sub(r"```.*?```", "", PAGE, flags=re.S)
    documented = set(re.findall(r"[a-z_]+", " ".join(re.findall(r"`([^`]+)`", text))))
    assert set(READ_TOO) | set(USED) | set(COLUMNS) <= documented


def test_every_status_of_the_first_place_is_documented():
    table = PAGE.split("## What would change the first place")[1].split("\n## ")[0]
    statuses = re.findall(r'"([a-z ]+)"', ratings.Fragility.__doc__.split("first:")[0])
    assert len(statuses) == 5
    assert all(f"`{status}`" in table for status in statuses)
