"""Captions of the command line, and the options that it refuses."""

import io
import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ratings import Battles, bradley_terry, intervals, plan
from ratings.__main__ import main
from ratings.cli import describe
from ratings.cli.report_kinds import REPORTS

CYCLE = {("A", "B"): (40, 25, 5), ("B", "C"): (30, 28, 3), ("C", "A"): (20, 35, 4)}


@pytest.fixture
def run_cli(capsys, tmp_path):
    """Run the command line on a table; returns exit status, stdout and stderr."""

    def run(frame, *arguments):
        path = tmp_path / "votes.csv"
        frame.to_csv(path, index=False)
        status = main([str(path), *map(str, arguments)])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.fixture
def votes(votes_of):
    frame = votes_of(CYCLE).sample(frac=1, random_state=1, ignore_index=True)
    frame["voter"] = [f"v{i % 30}" for i in range(len(frame))]
    frame["language"] = ["de", "en"] * (len(frame) // 2)
    times = pd.date_range("2026-01-01", periods=len(frame), freq="3h", tz="UTC")
    return frame.assign(timestamp=times.strftime("%Y-%m-%dT%H:%M:%SZ"))


def test_intervals_are_by_voter_if_the_votes_name_voters(run_cli, votes):
    _, out, _ = run_cli(votes)
    assert "95% intervals clustered by voter\n" in out
    _, out, _ = run_cli(votes, "--cluster", "none")
    assert "95% intervals by vote\n" in out
    _, out, _ = run_cli(votes.rename(columns={"voter": "evaluation_session_id"}))
    assert "95% intervals clustered by voter\n" in out
    _, out, _ = run_cli(votes.drop(columns="voter"))
    assert "95% intervals by vote (the votes have no voter column)" in out
    _, out, _ = run_cli(votes.assign(voter="me"), "--bootstrap", "100")
    assert "95% intervals from 100 resamples by vote (all votes are of one voter)" in out
    status, _, err = run_cli(votes.drop(columns="voter"), "--cluster", "voter")
    assert status == 1
    assert "no column 'voter' to cluster by, nor 'evaluation_session_id'" in err
    status, _, err = run_cli(votes, "--cluster", "none", "--cluster", "voter")
    assert "--cluster none cannot be combined with another" in err


def test_captions_call_columns_by_what_they_hold():
    both = "evaluation_session_id and prompt_id"
    assert describe.clusters(both, None) == "clustered by voter and prompt"
    assert describe.clusters("judge", "why") == "clustered by judge (why)"


def test_one_vote_is_written_in_the_singular(votes_of):
    battles = Battles.from_frame(votes_of(CYCLE))
    fit = bradley_terry(battles)
    needed = replace(plan(battles, fit, intervals(battles, fit)), first_known=False, first_votes=1)
    (_, until) = describe.votes_needed(battles, fit, needed)
    assert until.startswith("1 more vote until ")


REFUSED = [
    *[(name, "--power", "0.9") for name in ["", *REPORTS] if name != "plan"],
    *[(name, "--period", "2D") for name in ["", *REPORTS] if name != "time"],
    *[(name, "--bootstrap", "200") for name in REPORTS],
    *[(name, "--method", "bt") for name in REPORTS],
    *[(name, "--anchor", "A=900") for name in REPORTS if name != "time"],
    *[(name, "--ci", "0.9") for name in ("pairs", "voters", "first", "fit")],
    *[(name, "--covariate", "x") for name in ("pairs", "voters", "reliability", "fit", "time")],
    *[(name, "--ties", "drop") for name in ("pairs", "fit")],
    *[(name, "--both-bad", "drop") for name in ("pairs", "fit")],
    *[(name, "--prior-sd", "300") for name in ("pairs", "reliability", "fit", "time")],
    *[(name, "--side", None) for name in ("pairs", "reliability", "time")],
    ("pairs", "--cluster", "voter"),
]


@pytest.mark.parametrize(("report", "option", "value"), REFUSED)
def test_options_without_effect_are_refused(run_cli, votes, report, option, value):
    asked = ["--report", report] if report else []
    status, out, err = run_cli(votes, *asked, option, *([] if value is None else [value]))
    assert (status, out) == (1, "")
    result = f"the report {report}" if report else "a leaderboard"
    assert err == f"ratings: {option} has no effect on {result}: leave it out\n"


@pytest.mark.parametrize("option", [["--ci", "0.9"], ["--cluster", "voter"], ["--side"]])
def test_elo_refuses_options_without_effect(run_cli, votes, option):
    status, _, err = run_cli(votes, "--method", "elo", *option)
    assert status == 1
    assert f"{option[0]} has no effect on sequential Elo" in err


@pytest.mark.parametrize("report", [name for name in REPORTS if name != "pairs"])
def test_an_unknown_cluster_is_refused_in_every_report(run_cli, votes, report):
    for frame in (votes, votes.iloc[:0]):
        status, _, err = run_cli(frame, "--report", report, "--cluster", "nope")
        assert status == 1
        assert "no column 'nope' to cluster by" in err


@pytest.mark.parametrize("report", ["plan", "first", "known"])
def test_an_unknown_covariate_is_refused_in_every_report(run_cli, votes, report):
    for frame in (votes, votes.iloc[:0]):
        status, _, err = run_cli(frame, "--report", report, "--covariate", "nope")
        assert status == 1
        assert "neither the columns 'nope_a' and 'nope_b' nor 'nope'" in err


RULED = {
    "plan": ["--ties", "davidson", "--both-bad", "drop", "--prior-sd", "300"],
    "voters": ["--ties", "davidson", "--both-bad", "drop", "--prior-sd", "300"],
    "first": ["--ties", "davidson", "--both-bad", "drop", "--prior-sd", "300"],
    "known": ["--ties", "davidson", "--both-bad", "drop", "--prior-sd", "300"],
    "reliability": ["--ties", "davidson", "--both-bad", "drop"],
    "time": ["--ties", "davidson", "--both-bad", "drop"],
}


@pytest.mark.parametrize("report", RULED)
def test_captions_name_the_rules(run_cli, votes, report):
    status, out, _ = run_cli(votes, "--report", report, *RULED[report])
    assert status == 0
    assert "ties Davidson's model" in out
    assert "both bad left out" in out
    assert ("normal prior of 300 points" in out) == ("--prior-sd" in RULED[report])
    assert "voter" in out.splitlines()[-1] or report == "first"


def test_effects_are_shown_for_each_group(run_cli, votes):
    _, out, _ = run_cli(votes, "--by", "language", "--side")
    german, english = out.split("language: en")
    lines = [
        next(x for x in part.splitlines() if x.startswith("side ")) for part in (german, english)
    ]
    assert lines[0] != lines[1]
    assert "side" not in out.splitlines()[-1]
    _, out, _ = run_cli(votes, "--by", "language", "--side", "--format", "csv")
    table = pd.read_csv(io.StringIO(out))
    for language, line in zip(("de", "en"), lines, strict=True):
        group = table[table["language"] == language]
        assert group["effect_side"].nunique() == 1
        assert (
            f"side {group['effect_side'].iloc[0]:.1f} ({group['effect_side_lower'].iloc[0]:.1f} to"
            in line
        )
    _, out, _ = run_cli(votes, "--by", "language", "--side", "--format", "json")
    assert {round(row["effect_side_upper"], 4) for row in json.loads(out)} == {
        round(value, 4) for value in table["effect_side_upper"]
    }


def test_captions_name_anchors_and_estimated_parameters(run_cli, votes):
    _, out, _ = run_cli(votes, "--anchor", "A=1200", "--anchor", "B=900")
    assert "the mean of A and B held at 1050" in out
    _, out, _ = run_cli(votes, "--anchor", "A=1200", "--ties", "davidson")
    assert "A held at 1200" in out
    assert "ties Davidson's model (nu 0.1" in out
    _, out, _ = run_cli(votes, "--ties", "rao-kupper")
    assert "ties Rao and Kupper's model (theta 1." in out
    _, out, _ = run_cli(votes, "--method", "elo")
    assert "sequential Elo in row order, k 4, from 1000, no intervals" in out


def test_captions_say_why_no_model_is_rated(run_cli, votes_of):
    one_way = votes_of({("A", "B"): (3, 0, 0)})
    for arguments in ([], ["--report", "plan"], ["--report", "first"], ["--report", "fit"]):
        status, out, _ = run_cli(one_way, *arguments)
        assert status == 0
        assert (
            "no model can be rated: no two models are connected by wins in both directions" in out
        )
    _, out, _ = run_cli(one_way, "--report", "plan")
    assert "3 votes so far" in out
    _, out, _ = run_cli(votes_of({}))
    assert "no model can be rated: there are no votes" in out
    _, out, _ = run_cli(votes_of({("A", "B"): (0, 0, 2)}), "--ties", "drop")
    assert "no model can be rated: the rules leave out all votes" in out


@pytest.mark.parametrize("arguments", [[], *(["--report", name] for name in REPORTS)])
def test_a_completely_empty_file_has_no_votes(capsys, tmp_path, arguments):
    path = tmp_path / "votes.csv"
    path.write_text("")
    assert main([str(path), *arguments]) == 0
    captured = capsys.readouterr()
    assert captured.out
    assert not captured.err


def test_the_first_place_report_explains_its_numbers(run_cli, votes, votes_of):
    _, out, _ = run_cli(votes, "--report", "first", "--cluster", "voter", "--format", "csv")
    row = pd.read_csv(io.StringIO(out)).iloc[0]
    assert len(row["names"].split(", ")) == row["voters"]
    _, out, _ = run_cli(votes, "--report", "first", "--cluster", "voter")
    assert f"without the {row['votes']:.0f} votes of {row['voters']:.0f} voters (by voter)" in out
    assert f"{row['share']:.2%} of the {len(votes)} among rated models" in out
    _, out, _ = run_cli(votes_of({("A", "B"): (2, 1, 0)}), "--report", "first")
    assert "votes run out" in out
    assert "2 added votes for B against A would make it first" in out
    _, out, _ = run_cli(votes_of({("A", "B"): (1, 1, 0)}), "--report", "first")
    assert "A and B have equal ratings" in out


def test_the_pairs_report_counts_votes(run_cli, votes):
    _, out, _ = run_cli(votes, "--report", "pairs", "--format", "csv")
    table = pd.read_csv(io.StringIO(out)).set_index(["model", "other"])["votes"]
    assert table.to_dict() == {("A", "B"): 70, ("B", "C"): 61, ("A", "C"): 59}


def test_small_numbers_keep_their_digits(run_cli, votes_of):
    """A voter who always picks the left side has a p-value that needs more than six decimals."""
    random = np.random.default_rng(2)
    frame = votes_of({("A", "B"): (500, 480, 0), ("B", "A"): (510, 490, 0)})
    frame["voter"] = [f"v{i}" for i in random.integers(40, size=len(frame))]
    frame.loc[frame["voter"] == "v3", "winner"] = "model_a"
    _, out, _ = run_cli(frame, "--report", "voters", "--format", "csv")
    from_csv = pd.read_csv(io.StringIO(out)).set_index("voter").loc["v3"]
    _, out, _ = run_cli(frame, "--report", "voters", "--format", "json")
    from_json = json.loads(out)[0]
    assert 0 < from_csv["q"] < 1e-6
    assert math.isclose(from_csv["p"], from_json["p"], rel_tol=1e-5)


def test_the_reliability_report_explains_missing_retests(run_cli, votes):
    _, out, _ = run_cli(votes, "--report", "reliability", "--format", "csv")
    table = pd.read_csv(io.StringIO(out)).set_index("measure")
    assert 0.5 < table.loc["held_out_expected", "value"] < 1
    _, out, _ = run_cli(votes, "--report", "reliability")
    assert "no retest: without clip_a and clip_b, or prompt, repeated battles are unknown" in out
    again = votes.assign(prompt="p")
    _, out, _ = run_cli(again, "--report", "reliability")
    assert "chance repeats of the same battle" in out
    _, out, _ = run_cli(votes.assign(voter="me"), "--report", "reliability")
    assert "95% intervals as if from a single voter (all votes are of one voter)" in out


def test_the_time_report_starts_with_changes(run_cli, votes):
    _, out, _ = run_cli(votes, "--report", "time", "--period", "36h", "--anchor", "A=1100")
    header, *rows = out.splitlines()
    assert header.split() == ["model", "change", "lower", "upper", "p", "q"]
    assert [row.split()[0] for row in rows[:3]] == ["A", "B", "C"]
    assert "periods of 1 day 12 hours" in out
    assert "A held at 1100" in out
    _, out, _ = run_cli(votes, "--report", "time", "--format", "csv")
    table = pd.read_csv(io.StringIO(out))
    assert table.groupby("model")["change"].nunique().eq(1).all()
    assert {"change_lower", "change_upper", "change_p", "change_q"} <= set(table.columns)
    _, out, _ = run_cli(votes, "--report", "time", "--period", "400D")
    assert "drift cannot be estimated from one period of 400 days" in out
    _, out, _ = run_cli(votes.iloc[:0], "--report", "time")
    assert "no model can be rated: there are no votes" in out
    assert "nan" not in out


def test_the_fit_report_says_why_it_has_no_test(run_cli, votes_of):
    _, out, _ = run_cli(votes_of({("A", "B"): (5, 3, 0)}), "--report", "fit")
    assert "no test: there are no more pairs than the ratings need" in out
    assert "nan" not in out
