"""Numbers that others have printed: estimates, their standard errors, sequential Elo."""

import io

import numpy as np
import pandas as pd
import pytest

import baseball
import ratings

PER_STRENGTH = 400 / np.log(10)

# The worked example of Wikipedia's article on the Bradley-Terry model: how often the row beat the
# column, and the converged worths with geometric mean 1.
WIKIPEDIA = {"A": [0, 2, 0, 1], "B": [3, 0, 5, 0], "C": [0, 3, 0, 1], "D": [4, 0, 3, 0]}
WORTHS = {"A": 0.640, "B": 1.043, "C": 0.660, "D": 2.270}

# Stigler (1994); standard errors as summary() of BradleyTerry2 prints them (Turner and Firth 2012,
# section 2.2), Biometrika held.
CITATIONS = {
    ("Biometrika", "Comm Statist"): (730, 33, 0),
    ("Biometrika", "JASA"): (498, 320, 0),
    ("Biometrika", "JRSS-B"): (221, 284, 0),
    ("Comm Statist", "JASA"): (68, 813, 0),
    ("Comm Statist", "JRSS-B"): (17, 276, 0),
    ("JASA", "JRSS-B"): (142, 325, 0),
}
CITATION_ESTIMATES = {
    "Comm Statist": (-2.94907, 0.10255),
    "JASA": (-0.47957, 0.06059),
    "JRSS-B": (0.26895, 0.07083),
}

# Baseball 1987 with home advantage (Turner and Firth 2012, section 5), Baltimore held.
BASEBALL_ERRORS = {"Boston": 0.3378, "Cleveland": 0.3350, "Detroit": 0.3446, "Milwaukee": 0.3474,
                   "New York": 0.3404, "Toronto": 0.3403, "side": 0.1309}  # fmt: skip

# Two tables from the tests of evalica 0.4 (simple.csv, food.csv) with its reference ratings: worths
# whose sum is 1 and ties as half wins, and Elo from 1000 with K = 4.
SIMPLE = """left,right,winner
0,1,tie
0,2,right
0,2,tie
0,4,tie
1,0,left
1,2,tie
1,2,tie
1,3,tie
2,4,tie
3,0,left
3,1,left
3,2,left
3,4,tie
3,4,tie
4,0,left
4,3,left
"""
SIMPLE_WORTHS = {
    "4": 0.34947527,
    "3": 0.33688868,
    "2": 0.13168568,
    "1": 0.13115069,
    "0": 0.05079967,
}
SIMPLE_ELO = {"4": 1004.0562423948679, "3": 1003.8861974411536, "2": 999.9773072285024,
              "1": 999.9771705955386, "0": 992.1030823399375}  # fmt: skip
FOOD = """Pizza,Sushi,left Burger,Pasta,right Tacos,Pizza,left Sushi,Tacos,right Burger,Pizza,left
Pasta,Sushi,right Tacos,Burger,left Pizza,Pasta,tie Sushi,Burger,right Pasta,Tacos,left
Burger,Sushi,right Tacos,Pizza,left Sushi,Pasta,tie Burger,Tacos,left Pizza,Burger,right
Pasta,Tacos,right Burger,Sushi,right Tacos,Pasta,left Pizza,Tacos,right Sushi,Burger,left
Pasta,Pizza,right Burger,Sushi,right Tacos,Pasta,left Pizza,Sushi,left Sushi,Burger,right
Pasta,Tacos,right Tacos,Pizza,left Burger,Pasta,right Sushi,Tacos,left Pizza,Burger,right"""
FOOD_WORTHS = {"Tacos": 0.43428983, "Sushi": 0.19060028, "Burger": 0.14797665, "Pasta": 0.12815341,
               "Pizza": 0.09897983}  # fmt: skip
FOOD_ELO = {"Tacos": 1013.3587771887543, "Sushi": 1002.0980590208538, "Burger": 998.0260933346951,
            "Pasta": 994.1913058814378, "Pizza": 992.325764574259}  # fmt: skip


def strengths(fit):
    return fit.ratings / PER_STRENGTH


def model_errors(fit):
    """Standard errors by the information alone, against the first anchor, in strengths."""
    design = fit.design
    inverse = design.invert(design.information(fit.point))
    held = list(fit.ratings.index).index(next(iter(fit.anchors)))
    contrast = np.eye(design.width)
    contrast[: design.size, held] -= 1
    errors = np.sqrt(np.diag(contrast @ inverse @ contrast.T).clip(0))
    return dict(zip([*fit.ratings.index, *fit.effects.index], errors, strict=True))


def test_wikipedias_worked_example(votes_of):
    names = list(WIKIPEDIA)
    wins = np.array(list(WIKIPEDIA.values()))
    pairs = {
        (names[i], names[j]): (wins[i, j], wins[j, i], 0) for i in range(4) for j in range(i + 1, 4)
    }
    worth = np.exp(strengths(ratings.bradley_terry(ratings.Battles.from_frame(votes_of(pairs)))))
    worth = worth / np.exp(np.log(worth).mean())
    for name, printed in WORTHS.items():
        assert worth[name] == pytest.approx(printed, abs=5e-4)


def test_citations_with_their_standard_errors(votes_of):
    battles = ratings.Battles.from_frame(votes_of(CITATIONS))
    fit = ratings.bradley_terry(battles, anchors={"Biometrika": 0})
    errors = model_errors(fit)
    for name, (estimate, error) in CITATION_ESTIMATES.items():
        assert strengths(fit)[name] == pytest.approx(estimate, abs=5e-6)
        assert errors[name] == pytest.approx(error, abs=5e-6)


def test_baseball_1987_standard_errors_with_home_advantage(votes_of):
    battles = ratings.Battles.from_frame(votes_of(baseball.games()))
    errors = model_errors(ratings.bradley_terry(battles, side=True, anchors={"Baltimore": 0}))
    for name, error in BASEBALL_ERRORS.items():
        assert errors[name] == pytest.approx(error, abs=5e-5)


@pytest.mark.parametrize(
    ("text", "worths", "elo"),
    [
        (SIMPLE, SIMPLE_WORTHS, SIMPLE_ELO),
        ("left,right,winner\n" + "\n".join(FOOD.split()), FOOD_WORTHS, FOOD_ELO),
    ],
    ids=["simple", "food"],
)
def test_evalicas_reference_ratings(text, worths, elo):
    """Its Bradley-Terry ratings stop at a tolerance of 1e-6 in the worths; Elo is exact."""
    battles = ratings.Battles.from_frame(pd.read_csv(io.StringIO(text), dtype=str))
    worth = np.exp(strengths(ratings.bradley_terry(battles)))
    worth /= worth.sum()
    found = ratings.elo(battles, k=4)
    for name, printed in worths.items():
        assert worth[name] == pytest.approx(printed, abs=2e-5)
        assert found[name] == pytest.approx(elo[name], abs=1e-10)


def test_fides_table_of_expected_scores(votes_of):
    """FIDE handbook B.02, table 8.1.2, beside the logistic curve: .64 at 100 points, .76 at 200,
    .91 at 400; one win of the weaker then gains K times what it was not expected to score."""
    for gap, expected in [(100, 0.64), (200, 0.76), (400, 0.91)]:
        anchored = ratings.elo(ratings.Battles.from_frame(votes_of({("A", "B"): (1, 0, 0)})), k=20)
        assert anchored["A"] == pytest.approx(1010)
        assert 1 / (1 + 10 ** (-gap / 400)) == pytest.approx(expected, abs=5e-3)
