"""What the command line says below and beside its numbers, and what it refuses."""

import io
import json
import math

import numpy as np
import pandas as pd
import pytest

from ratings.__main__ import main
from ratings.cli.reports import REPORTS

CYCLE = {("A", "B"): (40, 25, 5), ("B", "C"): (30, 28, 3), ("C", "A"): (20, 35, 4)}


@pytest.fixture
def told(capsys, tmp_path):
    """Runs the command line on a table: exit status, output and errors."""

    def run(frame, *arguments):
        path = tmp_path / "votes.csv"
        frame.to_csv(path, index=False)
        status = main([str(path), *map(str, arguments)])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


@pytest.fixture
def votes(votes_of):
    frame = votes_of(CYCLE).sample(frac=1, random_state=1, ignore_index=True)
    frame["voter"] = [f"v{i % 30}" for i in range(len(frame))]
    frame["language"] = ["de", "en"] * (len(frame) // 2)
    times = pd.date_range("2026-01-01", periods=len(frame), freq="3h", tz="UTC")
    return frame.assign(timestamp=times.strftime("%Y-%m-%dT%H:%M:%SZ"))


def test_intervals_are_by_voter_where_votes_name_voters(told, votes):
    _, out, _ = told(votes)
    assert "95% intervals by voter" in out
    _, out, _ = told(votes, "--cluster", "none")
    assert "95% intervals by vote\n" in out
    _, out, _ = told(votes.rename(columns={"voter": "evaluation_session_id"}))
    assert "95% intervals by evaluation_session_id" in out
    _, out, _ = told(votes.drop(columns="voter"))
    assert "95% intervals by vote (no column tells voters)" in out
    _, out, _ = told(votes.assign(voter="me"), "--bootstrap", "100")
    assert "95% intervals from 100 resamples by vote (all votes are of one voter)" in out
    status, _, err = told(votes.drop(columns="voter"), "--cluster", "voter")
    assert status == 1
    assert "no column 'voter' to cluster by, nor 'evaluation_session_id'" in err
    status, _, err = told(votes, "--cluster", "none", "--cluster", "voter")
    assert "--cluster none leaves no room for another" in err


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
def test_an_option_that_changes_nothing_is_refused(told, votes, report, option, value):
    asked = ["--report", report] if report else []
    status, out, err = told(votes, *asked, option, *([] if value is None else [value]))
    assert (status, out) == (1, "")
    what = f"the report {report}" if report else "a leaderboard"
    assert err == f"ratings: {option} changes nothing in {what}: leave it out\n"


@pytest.mark.parametrize("option", [["--ci", "0.9"], ["--cluster", "voter"], ["--side"]])
def test_elo_refuses_what_changes_nothing_in_it(told, votes, option):
    status, _, err = told(votes, "--method", "elo", *option)
    assert status == 1
    assert f"{option[0]} changes nothing in sequential Elo" in err


@pytest.mark.parametrize("report", [name for name in REPORTS if name != "pairs"])
def test_an_unknown_cluster_is_refused_in_every_report(told, votes, report):
    for frame in (votes, votes.iloc[:0]):
        status, _, err = told(frame, "--report", report, "--cluster", "nope")
        assert status == 1
        assert "no column 'nope' to cluster by" in err


@pytest.mark.parametrize("report", ["plan", "first"])
def test_an_unknown_covariate_is_refused_in_every_report(told, votes, report):
    for frame in (votes, votes.iloc[:0]):
        status, _, err = told(frame, "--report", report, "--covariate", "nope")
        assert status == 1
        assert "neither the columns 'nope_a' and 'nope_b' nor 'nope'" in err


RULED = {
    "plan": ["--ties", "davidson", "--both-bad", "drop", "--prior-sd", "300"],
    "voters": ["--ties", "davidson", "--both-bad", "drop", "--prior-sd", "300"],
    "first": ["--ties", "davidson", "--both-bad", "drop", "--prior-sd", "300"],
    "reliability": ["--ties", "davidson", "--both-bad", "drop"],
    "time": ["--ties", "davidson", "--both-bad", "drop"],
}


@pytest.mark.parametrize("report", RULED)
def test_a_report_says_by_which_rules_it_is(told, votes, report):
    status, out, _ = told(votes, "--report", report, *RULED[report])
    assert status == 0
    assert "ties Davidson's model" in out
    assert "both bad left out" in out
    assert ("normal prior of 300 points" in out) == ("--prior-sd" in RULED[report])
    assert "voter" in out.splitlines()[-1] or report == "first"


def test_effects_are_shown_for_each_group(told, votes):
    _, out, _ = told(votes, "--by", "language", "--side")
    german, english = out.split("language: en")
    lines = [
        next(x for x in part.splitlines() if x.startswith("side ")) for part in (german, english)
    ]
    assert lines[0] != lines[1]
    assert "side" not in out.splitlines()[-1]
    _, out, _ = told(votes, "--by", "language", "--side", "--format", "csv")
    table = pd.read_csv(io.StringIO(out))
    for language, line in zip(("de", "en"), lines, strict=True):
        own = table[table["language"] == language]
        assert own["effect_side"].nunique() == 1
        assert (
            f"side {own['effect_side'].iloc[0]:.1f} ({own['effect_side_lower'].iloc[0]:.1f} to"
            in line
        )
    _, out, _ = told(votes, "--by", "language", "--side", "--format", "json")
    assert {round(row["effect_side_upper"], 4) for row in json.loads(out)} == {
        round(value, 4) for value in table["effect_side_upper"]
    }


def test_what_is_held_and_estimated_is_named(told, votes):
    _, out, _ = told(votes, "--anchor", "A=1200", "--anchor", "B=900")
    assert "the mean of A and B held at 1050" in out
    _, out, _ = told(votes, "--anchor", "A=1200", "--ties", "davidson")
    assert "A held at 1200" in out
    assert "ties Davidson's model (nu 0.1" in out
    _, out, _ = told(votes, "--ties", "rao-kupper")
    assert "ties Rao and Kupper's model (theta 1." in out
    _, out, _ = told(votes, "--method", "elo")
    assert "sequential Elo in the order of rows, k 4, from 1000, no intervals" in out


def test_why_nobody_can_be_rated_is_told(told, votes_of):
    one_way = votes_of({("A", "B"): (3, 0, 0)})
    for arguments in ([], ["--report", "plan"], ["--report", "first"], ["--report", "fit"]):
        status, out, _ = told(one_way, *arguments)
        assert status == 0
        assert "nobody can be rated, because no two models have taken votes off each other" in out
    _, out, _ = told(one_way, "--report", "plan")
    assert "3 votes in hand" in out
    _, out, _ = told(votes_of({}))
    assert "nobody can be rated, because there are no votes" in out
    _, out, _ = told(votes_of({("A", "B"): (0, 0, 2)}), "--ties", "drop")
    assert "nobody can be rated, because the rules leave out all of the votes" in out


@pytest.mark.parametrize("arguments", [[], *(["--report", name] for name in REPORTS)])
def test_a_file_without_a_byte_is_no_votes(capsys, tmp_path, arguments):
    path = tmp_path / "votes.csv"
    path.write_text("")
    assert main([str(path), *arguments]) == 0
    said = capsys.readouterr()
    assert said.out
    assert not said.err


def test_first_says_what_its_numbers_are(told, votes, votes_of):
    _, out, _ = told(votes, "--report", "first", "--cluster", "voter", "--format", "csv")
    row = pd.read_csv(io.StringIO(out)).iloc[0]
    assert len(row["names"].split(", ")) == row["voters"]
    _, out, _ = told(votes, "--report", "first", "--cluster", "voter")
    assert f"without the {row['votes']:.0f} votes of {row['voters']:.0f} voters (by voter)" in out
    assert f"{row['share']:.2%} of the {len(votes)} among rated models" in out
    _, out, _ = told(votes_of({("A", "B"): (2, 1, 0)}), "--report", "first")
    assert "votes run out" in out
    assert "2 added votes for B against A would make it first" in out
    _, out, _ = told(votes_of({("A", "B"): (1, 1, 0)}), "--report", "first")
    assert "A and B have equal ratings" in out


def test_pairs_say_how_often_they_were_shown(told, votes):
    _, out, _ = told(votes, "--report", "pairs", "--format", "csv")
    table = pd.read_csv(io.StringIO(out)).set_index(["model", "other"])["votes"]
    assert table.to_dict() == {("A", "B"): 70, ("B", "C"): 61, ("A", "C"): 59}


def test_small_numbers_keep_their_digits(told, votes_of):
    """One who always takes the left side is found with a p far below any decimal places."""
    random = np.random.default_rng(2)
    frame = votes_of({("A", "B"): (500, 480, 0), ("B", "A"): (510, 490, 0)})
    frame["voter"] = [f"v{i}" for i in random.integers(40, size=len(frame))]
    frame.loc[frame["voter"] == "v3", "winner"] = "model_a"
    _, out, _ = told(frame, "--report", "voters", "--format", "csv")
    from_csv = pd.read_csv(io.StringIO(out)).set_index("voter").loc["v3"]
    _, out, _ = told(frame, "--report", "voters", "--format", "json")
    from_json = json.loads(out)[0]
    assert 0 < from_csv["q"] < 1e-6
    assert math.isclose(from_csv["p"], from_json["p"], rel_tol=1e-5)


def test_reliability_says_what_is_expected_and_why_retest_is_blank(told, votes):
    _, out, _ = told(votes, "--report", "reliability", "--format", "csv")
    table = pd.read_csv(io.StringIO(out)).set_index("measure")
    assert 0.5 < table.loc["held_out_expected", "value"] < 1
    _, out, _ = told(votes, "--report", "reliability")
    assert "no retest, because no clip_a and clip_b, and no prompt, tell" in out
    again = votes.assign(prompt="p")
    _, out, _ = told(again, "--report", "reliability")
    assert "repeats of the same battle by chance" in out
    _, out, _ = told(votes.assign(voter="me"), "--report", "reliability")
    assert "95% intervals as of one answer (all votes are of one voter)" in out


def test_time_begins_with_what_changed(told, votes):
    _, out, _ = told(votes, "--report", "time", "--period", "36h", "--anchor", "A=1100")
    header, *rows = out.splitlines()
    assert header.split() == ["model", "change", "lower", "upper", "p", "q"]
    assert [row.split()[0] for row in rows[:3]] == ["A", "B", "C"]
    assert "periods of 1 day 12 hours" in out
    assert "A held at 1100" in out
    _, out, _ = told(votes, "--report", "time", "--format", "csv")
    table = pd.read_csv(io.StringIO(out))
    assert table.groupby("model")["change"].nunique().eq(1).all()
    assert {"change_lower", "change_upper", "change_p", "change_q"} <= set(table.columns)
    _, out, _ = told(votes, "--report", "time", "--period", "400D")
    assert "one period of 400 days tells no drift" in out
    _, out, _ = told(votes.iloc[:0], "--report", "time")
    assert "nobody can be rated, because there are no votes" in out
    assert "nan" not in out


def test_fit_says_why_it_tests_nothing(told, votes_of):
    _, out, _ = told(votes_of({("A", "B"): (5, 3, 0)}), "--report", "fit")
    assert "no test: there are no more pairs than the ratings need" in out
    assert "nan" not in out
