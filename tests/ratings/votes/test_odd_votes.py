"""Unusual tables and options: nothing is silently lost, merged or misinterpreted."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import ratings
from ratings.__main__ import main


def simulated(votes_of):
    return votes_of({("A", "B"): (30, 20, 4), ("B", "C"): (25, 20, 3), ("C", "A"): (18, 22, 5)})


def test_an_empty_cell_and_an_empty_text_are_one_group(tmp_path, capsys):
    path = tmp_path / "votes.jsonl"
    votes = [{"model_a": "x", "model_b": "y", "winner": "tie", "language": each}
             for each in ("", None, None, 1, "1")]  # fmt: skip
    path.write_text("".join(json.dumps(vote) + "\n" for vote in votes))
    assert main([str(path), "--by", "language", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {(row["language"], row["vote_count"]) for row in rows} == {("", 3), ("1", 2)}


def test_names_in_a_csv_are_read_verbatim(tmp_path):
    path = tmp_path / "votes.csv"
    path.write_text("model_a,model_b,winner\n007,7,model_a\n7,007,model_a\n")
    assert ratings.Battles.from_frame(ratings.read_votes(path)).models == ("007", "7")


def test_ids_in_a_csv_are_read_verbatim(tmp_path):
    path = tmp_path / "votes.csv"
    ids = ["007", "7", "1e5", "100000", *(str(10**17 + i) for i in range(5)), ""]
    rows = "".join(f"x,y,tie,{each}\n" for each in ids)
    path.write_text("model_a,model_b,winner,voter\n" + rows)
    assert ratings.read_votes(path, columns=["voter"])["voter"].nunique() == 9


@pytest.mark.parametrize("scale", [100.0, 0.01])
def test_multiplying_all_weights_changes_nothing(votes_of, scale):
    frame = simulated(votes_of)
    frame = frame.sample(frac=1, random_state=1, ignore_index=True)
    frame["timestamp"] = pd.date_range("2026-01-01", periods=len(frame), freq="7h", tz="UTC")
    one, many = (frame.assign(weight=each) for each in (1.0, scale))

    def compute(votes):
        battles = ratings.Battles.from_frame(votes)
        fit = ratings.bradley_terry(battles)
        plan = ratings.plan(battles, fit, ratings.intervals(battles, fit))
        course = ratings.over_time(battles, drift_sd=15, period="2D")
        result = ratings.goodness_of_fit(battles, rounds=200)
        return (
            ratings.votes_to_flip(battles, fit),
            plan.neighbours["direct_votes"].tolist(),
            course.upper.to_numpy(),
            result.p_chi_square,
        )

    first, second = compute(one), compute(many)
    assert first[:2] == second[:2]
    assert second[2] == pytest.approx(first[2], abs=1e-6, nan_ok=True)
    assert second[3] == pytest.approx(first[3])


def test_a_single_heavy_vote_decides_the_first_place(votes_of):
    frame = pd.DataFrame(
        {
            "model_a": ["x"] * 11 + ["y"] * 60,
            "model_b": ["y"] * 11 + ["x"] * 60,
            "winner": "model_a",
            "weight": [100.0] + [1.0] * 70,
        }
    )
    battles = ratings.Battles.from_frame(frame)
    result = ratings.votes_to_flip(battles, ratings.bradley_terry(battles))
    assert (result.first, result.votes) == ("x", 1)


def test_two_voters_have_one_degree_of_freedom(votes_of):
    frame = simulated(votes_of)
    battles = ratings.Battles.from_frame(frame.assign(voter=np.arange(len(frame)) % 2))
    around = ratings.intervals(battles, ratings.bradley_terry(battles), cluster="voter")
    assert around.df.max() == 1


@pytest.mark.parametrize(
    ("options", "columns", "message"),
    [
        (["--bootstrap", "0"], {}, "at least 100 rounds, not 0"),
        (["--by", "status"], {"status": "new"}, "already has a column 'status'"),
        (["--covariate", "side"], {"side": 1}, "cannot be called 'side'"),
        (["--method", "elo"], {"weight": 1e9}, "diverges with k = 4"),
        (
            ["--method", "elo", "--report", "plan"],
            {},
            "--method has no effect",
        ),
        (["--anchor", "A=1e308"], {}, "which is not a rating"),
        (["--report", "time"], {"timestamp": 1.7e12}, "which is not a time"),
        (["--report", "first", "--cluster", "a", "--cluster", "b"], {"a": 1, "b": 2}, "one column"),
        ([], {"weight": 1e200}, "must be 0 or from 1e-12 to 1e12"),
    ],
)
def test_invalid_options_are_one_line_errors(tmp_path, capsys, votes_of, options, columns, message):
    path = tmp_path / "votes.parquet"
    simulated(votes_of).assign(**columns).to_parquet(path)
    assert main([str(path), *options]) == 1
    message_shown = capsys.readouterr().err
    assert message in message_shown
    assert message_shown.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"model_a": ["x"], "model_b": "y", "winner": "tie"}', "lists or objects"),
        ('{"model_a": "x", "model_b": "y", "winner": "tie", "weight": 1' + "0" * 400 + "}",
         "weight"),
        ("[" * 100_000, "row 1"),
    ],
)  # fmt: skip
def test_cells_that_are_not_single_values(tmp_path, capsys, content, message):
    path = tmp_path / "votes.jsonl"
    path.write_text(content + "\n")
    assert main([str(path)]) == 1
    assert message in capsys.readouterr().err


def test_files_with_different_columns_are_refused(tmp_path, capsys, votes_of):
    frame = simulated(votes_of)
    frame.to_csv(tmp_path / "one.csv", index=False)
    frame.assign(weight=2).to_csv(tmp_path / "two.csv", index=False)
    assert main([str(tmp_path / "one.csv"), str(tmp_path / "two.csv")]) == 1
    assert "have different columns: only one has 'weight'" in capsys.readouterr().err


def test_other_separators_are_reported(tmp_path):
    path = tmp_path / "votes.csv"
    path.write_text("model_a;model_b;winner\nA;B;tie\n")
    with pytest.raises(ratings.VotesError, match="separate the cells by commas"):
        ratings.read_votes(path)


def test_names_that_differ_only_by_spaces_are_refused(votes_of):
    frame = votes_of({("Sora", "B"): (2, 1, 0), ("B", "Sora "): (1, 0, 0)})
    with pytest.raises(ratings.VotesError, match="and 'Sora ' differ only by leading or trailing"):
        ratings.Battles.from_frame(frame)
    frame["counted"] = frame["model_b"] != "Sora "
    assert ratings.Battles.from_frame(frame).models == ("B", "Sora")


@pytest.mark.parametrize("votes", ["votes.csv", Path("votes.csv")])
def test_a_path_instead_of_a_table_is_refused(votes):
    with pytest.raises(ratings.OptionError, match=r"use read_votes\('votes.csv'\)"):
        ratings.Battles.from_frame(votes)
    with pytest.raises(ratings.OptionError, match="a pandas DataFrame, not a dict"):
        ratings.leaderboard_by({}, "language")


def test_an_unknown_covariate_is_refused_without_votes(votes_of):
    battles = ratings.Battles.from_frame(votes_of({}))
    with pytest.raises(ratings.OptionError, match="neither the columns 'nope_a' and 'nope_b' nor"):
        ratings.bradley_terry(battles, covariates=["nope"])


def test_votes_without_rated_models_are_accepted_everywhere(votes_of):
    frame = votes_of({("A", "B"): (1, 0, 0)}).assign(length=1.0)
    battles = ratings.Battles.from_frame(frame)
    fit = ratings.bradley_terry(battles, covariates=["length"])
    assert ratings.intervals(battles, fit).lower.isna().all()
    nothing = ratings.Battles.from_counts(["A", "B", "C"], np.zeros((4, 3, 3)))
    prior = ratings.bradley_terry(nothing, prior_sd=200)
    around = ratings.intervals(nothing, prior)
    assert len(ratings.plan(nothing, prior, around).neighbours) == 0
    assert len(ratings.simulate_power(nothing, prior, around, 10)) == 0
    assert len(ratings.inverse_probability_weights(pd.Series([], dtype=float))) == 0


def test_a_bootstrap_without_finite_ratings_is_refused(votes_of):
    ring = {(f"m{i:02}", f"m{(i + 1) % 40:02}"): (1, 0, 0) for i in range(40)}
    battles = ratings.Battles.from_frame(votes_of(ring))
    fit = ratings.bradley_terry(battles)
    with pytest.raises(ratings.OptionError, match="no resample of these votes"):
        ratings.intervals(battles, fit, method="bootstrap", rounds=100)
