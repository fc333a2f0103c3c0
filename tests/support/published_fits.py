"""Published data, and the parameters of a fit as others print them: for tests of ratings."""

from pathlib import Path

import numpy as np
import pandas as pd

import ratings

PER_STRENGTH = 400 / np.log(10)
FOLDER = Path(__file__).parents[1] / "ratings" / "published"
WORDS = {"W": "model_a", "L": "model_b", "D": "tie", ">": "model_a", "<": "model_b", "=": "tie"}
SCHOOLS = ["London", "Paris", "Milano", "StGallen", "Barcelona", "Stockholm"]


def read(name):
    """A table of `tests/ratings/published`, as text."""
    return pd.read_csv(FOLDER / f"{name}.csv", comment="#", dtype=str)


def read_counts(name):
    """(first wins, second wins, ties) by pair."""
    return {
        (row.first, row.second): (int(row.first_wins), int(row.second_wins), int(row.ties))
        for row in read(name).itertuples()
    }


def in_printed_order(items):
    """Pairs 12, 13, 23, 14, ... of a list."""
    return [(items[i], items[j]) for j in range(len(items)) for i in range(j)]


def read_schools():
    """The students' answers as votes, with their languages and their subject."""
    students = read("universities")
    rows = [
        (*pair, WORDS[answer], number, row.french, row.spanish, row.italian, row.study)
        for number, row in enumerate(students.itertuples())
        for pair, answer in zip(in_printed_order(SCHOOLS), row.answers, strict=True)
        if answer != "-"
    ]
    columns = ["model_a", "model_b", "winner", "voter", "french", "spanish", "italian", "study"]
    return pd.DataFrame(rows, columns=columns)


def read_patients():
    """The patients' states as votes for "good" against "poor", and the names of the covariates."""
    patients = read("respiratory")
    names = [name for name in patients if name != "good"]
    visits = patients.assign(voter=patients.index, good=patients["good"].map(list)).explode("good")
    winner = visits["good"].map({"1": "model_a", "0": "model_b"})
    votes = visits[names].astype(float).assign(model_a="good", model_b="poor", winner=winner)
    return votes.assign(voter=visits["voter"]).reset_index(drop=True), names


def fitted(frame, ties="half", **options):
    """The votes and their fit."""
    battles = ratings.Battles.from_frame(frame)
    return battles, ratings.bradley_terry(battles, ties, **options)


def contrast(fit):
    """From parameters to strengths against the anchors or the mean, then the extras."""
    names = [*fit.ratings.index, *(extra.name for extra in fit.design.extras)]
    held = np.isin(names, list(fit.anchors or fit.ratings.index))
    rows = np.eye(len(names))
    rows[: len(fit.ratings)] -= held / held.sum()
    return pd.DataFrame(rows, index=names, columns=names)


def estimates(fit):
    """Strengths against the anchors or the mean, effects, and the tie's log nu or margin."""
    return contrast(fit) @ fit.params


def worths(fit):
    """Exponentials of the strengths, with sum 1."""
    worth = np.exp(estimates(fit)[fit.ratings.index])
    return worth / worth.sum()


def covariance(fit):
    """Of the estimates, by the information alone."""
    rows = contrast(fit)
    values = rows.to_numpy()
    inverse = fit.design.invert(fit.design.information(fit.params))
    return pd.DataFrame(values @ inverse @ values.T, index=rows.index, columns=rows.index)


def errors(fit):
    """Standard errors of the estimates, by the information alone."""
    matrix = covariance(fit)
    return pd.Series(np.sqrt(np.diag(matrix).clip(0)), index=matrix.index)
