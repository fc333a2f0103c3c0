"""`python -m ratings`."""

import io
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import ratings
from ratings.__main__ import main
from ratings.cli.report_kinds import REPORTS

COUNTS = {("A", "B"): (60, 30, 5), ("B", "C"): (9, 2, 0)}


@pytest.fixture
def votes_file(tmp_path, votes_of):
    path = tmp_path / "votes.csv"
    frame = votes_of(COUNTS)
    frame.assign(panel=["j1", "j2"] * (len(frame) // 2)).to_csv(path, index=False)
    return path


def run(capsys, *arguments):
    status = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_csv_has_the_boards_columns(capsys, votes_file, votes_of):
    status, out, _ = run(capsys, votes_file, "--format", "csv", "--anchor", "A=1200")
    assert status == 0
    board = ratings.leaderboard(ratings.Battles.from_frame(votes_of(COUNTS)), anchors={"A": 1200})
    pd.testing.assert_frame_equal(
        pd.read_csv(io.StringIO(out)), board, check_dtype=False, atol=1e-6
    )
    assert "1200.000000" in out


def test_csv_and_json_say_on_standard_error_that_there_is_no_voter_column(capsys, votes_file):
    for style in ("csv", "json"):
        status, out, err = run(capsys, votes_file, "--format", style)
        assert (status, err) == (
            0,
            "ratings: intervals by vote (the votes have no voter column)\n",
        )
        assert "no voter column" not in out
        assert run(capsys, votes_file, "--format", style, "--cluster", "none")[2] == ""


def test_a_table_has_one_rank_the_set_that_holds_jointly(capsys, votes_file, votes_of):
    _, out, _ = run(capsys, votes_file)
    heading, *rows = out.splitlines()
    assert heading.split()[:3] == ["rank", "model", "rating"]
    board = ratings.leaderboard(ratings.Battles.from_frame(votes_of(COUNTS)))
    for line, lower, upper in zip(rows, board["rank_lower"], board["rank_upper"], strict=False):
        assert line.split()[0] == (f"{lower}" if lower == upper else f"{lower}-{upper}")
    assert "ranks from best to worst, 95% sure for all models at once" in out


def test_json_is_a_list_of_rows_with_null_for_empty(capsys, tmp_path, votes_of):
    votes_of({("A", "B"): (1, 0, 0)}).to_parquet(tmp_path / "votes.parquet")
    status, out, _ = run(capsys, tmp_path / "votes.parquet", "--format", "json")
    assert status == 0
    rows = json.loads(out)
    assert [row["model"] for row in rows] == ["A", "B"]
    assert rows[0]["rating"] is None
    assert rows[0]["rank"] is None
    assert rows[0]["status"] == "undefeated"


def test_the_table_has_a_caption(capsys, votes_file):
    status, out, _ = run(capsys, votes_file, "--ci", "0.9")
    assert status == 0
    assert "Bradley-Terry; ties half a win to each; both bad as a tie; 90% intervals by vote" in out
    _, out, _ = run(capsys, votes_file, "--cluster", "panel", "--ties", "davidson")
    assert "ties Davidson's model" in out
    assert "intervals clustered by panel" in out
    _, out, _ = run(capsys, votes_file, "--method", "elo", "--both-bad", "drop")
    assert "sequential Elo in row order" in out


def test_by_splits_into_one_leaderboard_each(capsys, tmp_path, votes_of):
    path = tmp_path / "votes.jsonl"
    frame = votes_of(COUNTS)
    frame["track"] = ["video-edit" if model == "A" else "text-to-video" for model in frame.model_a]
    frame.to_json(path, orient="records", lines=True)
    status, out, err = run(capsys, path)
    assert (status, out) == (1, "")
    assert "2 values of track" in err
    status, out, _ = run(capsys, path, "--by", "track")
    assert status == 0
    assert out.index("track: text-to-video") < out.index("track: video-edit")
    _, out, _ = run(capsys, path, "--by", "track", "--format", "csv")
    assert out.startswith("track,rank,")


def test_several_files_are_one_table_and_errors_name_file_and_row(capsys, tmp_path, votes_of):
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    frame = votes_of(COUNTS)
    frame.to_csv(first, index=False)
    frame.replace({"C": "D"}).to_csv(second, index=False)
    _, out, _ = run(capsys, first, second, "--format", "csv")
    assert pd.read_csv(io.StringIO(out))["vote_count"].sum() == 4 * len(frame)
    frame.assign(winner=["tie", "x", *frame.winner[2:]]).to_csv(second, index=False)
    status, _, err = run(capsys, first, second)
    assert status == 1
    assert err.count("\n") == 1
    assert f"{second}, row 2: winner is 'x'" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--ci", "95"], "confidence must lie between 0 and 1, not 95"),
        (["--cluster", "prompt"], "no column 'prompt' to cluster by"),
        (["--by", "prompt"], "no column 'prompt' to split by"),
        (["--anchor", "Z=1000"], "anchor 'Z' is not a model"),
        (["--bootstrap", "10"], "at least 100 rounds, not 10"),
        (["--prior-sd", "-5"], "prior_sd must be a number above 0"),
        (["--covariate", "loudness"], "neither the columns 'loudness_a'"),
        (["--ties", "rao-kupper", "--both-bad", "own"], "both_bad='own' needs"),
        (["--method", "elo", "--ties", "davidson"], "half or drop, not 'davidson'"),
    ],
)
def test_errors_are_one_line_with_status_1(capsys, votes_file, arguments, message):
    status, out, err = run(capsys, votes_file, *arguments)
    assert (status, out) == (1, "")
    assert err.startswith("ratings: ")
    assert err.count("\n") == 1
    assert message in err


@pytest.mark.parametrize(
    "arguments", [[], ["--format", "xml"], ["--anchor", "A"], ["--anchor", "A=x"]]
)
def test_wrong_usage_is_status_2(capsys, votes_file, arguments):
    arguments = [str(votes_file), *arguments] if arguments else []
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


def test_as_a_program(tmp_path, votes_file):
    run = [sys.executable, "-m", "ratings"]
    done = subprocess.run([*run, str(votes_file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "preliminary" in done.stdout
    failed = subprocess.run(
        [*run, str(tmp_path / "no.csv")], capture_output=True, text=True, check=False
    )
    assert failed.returncode == 1
    assert failed.stderr == f"ratings: {tmp_path / 'no.csv'} does not exist\n"


@pytest.fixture
def full_votes_file(tmp_path):
    """Two weeks of votes by fifty voters, with every column that reports read."""
    random = np.random.default_rng(3)
    count = 1200
    a = random.integers(4, size=count)
    b = (a + random.integers(1, 4, size=count)) % 4
    won = random.random(count) < 1 / (1 + np.exp((a - b) * 0.3))
    times = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(
        np.arange(count) * 17, unit="min"
    )
    frame = pd.DataFrame(
        {
            "id": np.arange(count),
            "model_a": [f"m{i}" for i in a],
            "model_b": [f"m{i}" for i in b],
            "winner": np.where(won, "model_a", "model_b"),
            "evaluation_session_id": [f"v{i}" for i in random.integers(50, size=count)],
            "prompt_id": random.integers(20, size=count),
            "timestamp": times.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "decided_ms": random.integers(4000, 20000, size=count),
            "first": random.choice(["a", "b"], size=count),
        }
    )
    frame.loc[::30, "evaluation_session_id"] = "v7"
    frame.loc[frame["evaluation_session_id"] == "v7", "winner"] = "model_a"
    path = tmp_path / "votes.csv"
    frame.to_csv(path, index=False)
    return path


FEW_PERIODS = {"time": ("--period", "3D")}  # the default makes fifty, which take seconds


@pytest.mark.parametrize(
    ("report", "column", "caption"),
    [
        ("pairs", "probability", "adaptive rule; 10% of the draws are uniform"),
        (
            "plan",
            "more_votes",
            "clustered by voter; 1,200 votes among rated",
        ),
        ("voters", "reason", "1 of 50 voters flagged"),
        ("first", "challenger", "of the 1,200 among rated models, m1 is first"),
        ("known", "gap_lower", "valid at any time with 95% confidence, clustered by voter"),
        ("reliability", "measure", "95% intervals clustered by voter"),
        ("fit", "residual", "degrees of freedom"),
        ("time", "period", "points per square root of a day"),
    ],
)
def test_every_report_in_every_format(capsys, full_votes_file, report, column, caption):
    words = (full_votes_file, "--report", report, *FEW_PERIODS.get(report, ()))
    status, out, err = run(capsys, *words)
    assert (status, err) == (0, "")
    assert caption in out
    _, out, _ = run(capsys, *words, "--format", "csv")
    assert column in pd.read_csv(io.StringIO(out)).columns
    _, out, _ = run(capsys, *words, "--format", "json")
    assert column in json.loads(out)[0]


def test_every_report_has_a_case_above():
    parameters = test_every_report_in_every_format.pytestmark[0].args[1]
    assert [each[0] for each in parameters] == list(REPORTS)


@pytest.mark.parametrize("report", REPORTS)
def test_a_report_on_no_votes(capsys, tmp_path, report):
    path = tmp_path / "votes.csv"
    path.write_text("model_a,model_b,winner,timestamp\n")
    status, out, err = run(capsys, path, "--report", report)
    assert (status, err) == (0, "")
    assert out


def test_a_report_is_not_split(capsys, full_votes_file):
    status, _, err = run(capsys, full_votes_file, "--report", "fit", "--by", "first")
    assert status == 1
    assert err == "ratings: --by splits only the leaderboard: leave out --report\n"


def test_an_error_quotes_only_the_ends_of_a_long_cell(capsys, tmp_path):
    path = tmp_path / "votes.csv"
    path.write_text(f"model_a,model_b,winner\nA,B,{'x' * 100_000}\n")
    status, out, err = run(capsys, path)
    assert (status, out) == (1, "")
    assert "row 1" in err
    assert len(err) < 700
