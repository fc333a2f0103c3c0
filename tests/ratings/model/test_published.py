"""Numbers that others have printed, reproduced to half of the last digit; data in `published`.

A logistic regression is Bradley-Terry with two models: its intercept is their gap, its regressors
are covariates. With three ordered answers (proportional odds) it is Rao and Kupper's model.
"""

import numpy as np
import pandas as pd
import pytest

import baseball
import ratings
from published_fits import (
    SCHOOLS,
    contrast,
    covariance,
    errors,
    estimates,
    fitted,
    in_printed_order,
    read,
    read_counts,
    read_patients,
    read_schools,
    worths,
)
from ratings.inference.clusters import cluster_codes
from ratings.inference.vote_scores import score_votes


def test_wikipedias_worked_example(votes_of):
    """Article on the Bradley-Terry model: how often the row beat the column, and the converged
    worths with geometric mean 1."""
    names = ["A", "B", "C", "D"]
    wins = [[0, 2, 0, 1], [3, 0, 5, 0], [0, 3, 0, 1], [4, 0, 3, 0]]
    pairs = {(names[i], names[j]): (wins[i][j], wins[j][i], 0) for i in range(4) for j in range(i)}
    _, fit = fitted(votes_of(pairs))
    assert np.exp(estimates(fit)).to_numpy() == pytest.approx(
        [0.640, 1.043, 0.660, 2.270], abs=5e-4
    )


def test_choixs_cycle_of_three(votes_of):
    """choix 0.4, tests/data/testcase-pairwise-2.json: worths of mean 1. The true maximum is
    1.43586088, 0.62035048, 0.94378864: two of its last digits are one off."""
    _, fit = fitted(votes_of({("0", "1"): (2, 0, 0), ("1", "2"): (1, 0, 0), ("2", "0"): (1, 0, 0)}))
    printed = [1.43586088, 0.62035049, 0.94378863]
    assert (3 * worths(fit)).to_numpy() == pytest.approx(printed, abs=1e-8)


CITATIONS = {
    ("Biometrika", "Comm Statist"): (730, 33, 0),
    ("Biometrika", "JASA"): (498, 320, 0),
    ("Biometrika", "JRSS-B"): (221, 284, 0),
    ("Comm Statist", "JASA"): (68, 813, 0),
    ("Comm Statist", "JRSS-B"): (17, 276, 0),
    ("JASA", "JRSS-B"): (142, 325, 0),
}


@pytest.mark.parametrize(
    ("held", "abilities", "deviations"),
    [
        ("Biometrika", [0, -2.9490725, -0.4795698, 0.2689541],
         [0, 0.10254534, 0.06058873, 0.07082997]),
        ("JASA", [0.4795698, -2.4695027, 0, 0.7485238], [0.06058873, 0.09817049, 0, 0.07294356]),
        (None, [0.7899221, -2.1591504, 0.3103523, 1.0588761],
         [0.04333047, 0.07257974, 0.04164102, 0.05304699]),
    ],
)  # fmt: skip
def test_citations_against_any_journal_or_the_mean(votes_of, held, abilities, deviations):
    """Stigler (1994); BTabilities.Rout.save of the tests of BradleyTerry2 (Turner and Firth)."""
    _, fit = fitted(votes_of(CITATIONS), anchors={held: 0} if held else None)
    assert estimates(fit).to_numpy() == pytest.approx(abilities, abs=5e-8)
    assert errors(fit).to_numpy() == pytest.approx(deviations, abs=5e-9)


@pytest.mark.parametrize(
    ("side", "printed"),
    [
        (False, {"Boston": 0.3339, "Cleveland": 0.3319, "Detroit": 0.3396, "Milwaukee": 0.3433,
                 "New York": 0.3359, "Toronto": 0.3367}),
        (True, {"Boston": 0.3378, "Cleveland": 0.3350, "Detroit": 0.3446, "Milwaukee": 0.3474,
                "New York": 0.3404, "Toronto": 0.3403, "side": 0.1309}),
    ],
)  # fmt: skip
def test_baseball_1987_standard_errors(votes_of, side, printed):
    """Turner and Firth (2012), section 5, and baseball.Rout.save of BradleyTerry2."""
    _, fit = fitted(votes_of(baseball.games()), side=side, anchors={"Baltimore": 0})
    assert errors(fit)[list(printed)].to_dict() == pytest.approx(printed, abs=5e-5)


def test_kousgaards_sound_fields_with_ties(votes_of):
    """Kousgaard (1984), tables 3 and 5, flutes: Davidson's model in halves of our strengths; table
    5 has the contrasts of the 2 x 2 x 2 design."""
    _, fit = fitted(votes_of(read_counts("sound_fields")), "davidson")
    halves = estimates(fit)[fit.ratings.index] / 2
    table_3 = [-0.581, -1.039, 0.347, 0.205, 0.276, 0.347, 0.311, 0.135]  # 000, 001, ..., 111
    assert halves.to_numpy() == pytest.approx(table_3, abs=5e-4)
    a, b, c = 2 * np.array([[int(level) for level in name] for name in halves.index]).T - 1
    effects = {"a": a, "b": b, "c": c, "ab": a * b, "ac": a * c, "bc": b * c, "abc": a * b * c}
    table_5 = dict(zip(effects, [0.267, 0.250, -0.088, -0.294, 0.062, 0.009, -0.070], strict=True))
    contrasts = {name: (signs * halves).mean() for name, signs in effects.items()}
    assert contrasts == pytest.approx(table_5, abs=5e-4)


@pytest.mark.parametrize(
    ("group", "printed"),
    [
        ("italian == 'good' and spanish == 'good'",
         [0.2083, 0.12682, 0.15936, 0.06905, 0.42506, 0.01135]),
        ("italian == 'good' and spanish == 'poor'",
         [0.4315, 0.08630, 0.34017, 0.05205, 0.06060, 0.02939]),
        ("italian == 'poor' and french == 'good' and study == 'commerce'",
         [0.3325, 0.42215, 0.05478, 0.06144, 0.09252, 0.03656]),
        ("italian == 'poor' and french == 'good' and study == 'other'",
         [0.3989, 0.22586, 0.08578, 0.13480, 0.09108, 0.06360]),
        ("italian == 'poor' and french == 'poor'",
         [0.4104, 0.09624, 0.07697, 0.15767, 0.16424, 0.09451]),
    ],
)  # fmt: skip
def test_management_schools_with_undecided_students(group, printed):
    """Leaves of the tree of Strobl, Wickelmaier and Zeileis (2011) on the data of Dittrich,
    Hatzinger and Katzenbeisser (1998): psychotree-Ex.Rout.save of psychotree, itempar(cems_tree).
    """
    _, fit = fitted(read_schools().query(group), "davidson")
    half_digit = np.array([5e-5, *[5e-6] * 5])  # London is printed with one digit fewer
    assert (np.abs(worths(fit)[SCHOOLS] - printed) < half_digit).all()


TOPMODELS = ["Barbara", "Anni", "Hana", "Fiona", "Mandy", "Anja"]


@pytest.mark.parametrize(
    ("judges", "first_wins", "printed"),
    [
        (35, [19, 12, 11, 20, 22, 28, 25, 22, 26, 20, 27, 27, 33, 24, 22],
         [0.1889, 0.16993, 0.3851, 0.1142, 0.09232, 0.04958]),
        (71, [42, 33, 21, 32, 25, 44, 41, 39, 51, 52, 41, 39, 47, 51, 33],
         [0.1746, 0.12305, 0.2625, 0.2254, 0.10188, 0.11259]),
        (56, [33, 33, 35, 31, 26, 27, 47, 45, 38, 44, 40, 38, 36, 32, 24],
         [0.2659, 0.21278, 0.1609, 0.1945, 0.06275, 0.10310]),
        (30, [27, 20, 8, 18, 8, 14, 17, 8, 15, 15, 15, 8, 14, 12, 13],
         [0.2585, 0.05573, 0.1531, 0.1605, 0.16427, 0.20792]),
    ],
)  # fmt: skip
def test_topmodels(votes_of, judges, first_wins, printed):
    """The other tree of that paper, on Topmodel2007: pairs 12, 13, 23, 14, ... of its leaves."""
    pairs = in_printed_order(TOPMODELS)
    counts = {pair: (wins, judges - wins, 0) for pair, wins in zip(pairs, first_wins, strict=True)}
    _, fit = fitted(votes_of(counts))
    half_digit = np.array([5e-5, 5e-6, 5e-5, 5e-5, 5e-6, 5e-6])
    assert (np.abs(worths(fit)[TOPMODELS] - printed) < half_digit).all()


HOUSING = {
    "InflMedium": (0.5663937, 0.10465),
    "InflHigh": (1.2888191, 0.12716),
    "TypeApartment": (-0.5723501, 0.11924),
    "TypeAtrium": (-0.3661866, 0.15517),
    "TypeTerrace": (-1.0910149, 0.15149),
    "ContHigh": (0.3602841, 0.09554),
    "Low|Medium": (-0.4961353, 0.12485),
    "Medium|High": (0.6907083, 0.12547),
}


def test_proportional_odds_of_satisfaction():
    """Venables and Ripley (2002), section 7.3, and the help page of polr in MASS, whose optimiser
    stops 2e-7 short: clm of package ordinal agrees with ours to 1e-9. The satisfied side wins
    where satisfaction is high, ties where it is medium."""
    cells = read("housing")
    dummies = {
        f"{name[:4].title()}{level}": (cells[name] == level).astype(float)
        for name in ("influence", "type", "contact")
        for level in cells[name].unique()
    }
    names = [name for name in HOUSING if name in dummies]
    people = {"high": "model_a", "medium": "tie", "low": "model_b"}
    frame = pd.concat(
        pd.DataFrame({**dummies, "model_a": "satisfied", "model_b": "not", "winner": word}).loc[
            cells.index.repeat(cells[satisfaction].astype(int))
        ]
        for satisfaction, word in people.items()
    )
    _, fit = fitted(frame, "rao-kupper", covariates=names, anchors={"not": 0})
    # A threshold is the gap, turned round, and the margin down or up from there.
    printed_from = pd.DataFrame(0.0, index=list(HOUSING), columns=estimates(fit).index)
    for name in names:
        printed_from.loc[name, name] = 1 / frame[name].std(ddof=0)
    printed_from.loc["Low|Medium":, "satisfied"] = -1
    printed_from.loc["Low|Medium":, "tie"] = [-1, 1]
    values, deviations = zip(*HOUSING.values(), strict=True)
    assert (printed_from @ estimates(fit)).to_numpy() == pytest.approx(values, abs=3e-7)
    around = np.sqrt(np.diag(printed_from @ covariance(fit) @ printed_from.T))
    assert around == pytest.approx(deviations, abs=5e-6)
    assert -2 * fit.log_likelihood == pytest.approx(3479.149, abs=5e-4)


PATIENTS = {
    "(Intercept)": (-0.90017133, 0.337653052, 0.46032700),
    "centre": (0.67160098, 0.239566599, 0.35681913),
    "treatment": (1.29921589, 0.236841017, 0.35077797),
    "gender": (0.11924365, 0.294671045, 0.44320235),
    "baseline": (1.88202860, 0.241290221, 0.35005152),
    "age": (-0.01816588, 0.008864403, 0.01300426),
}


def test_patients_at_four_visits_each():
    """Everitt and Hothorn, A Handbook of Statistical Analyses Using R, on longitudinal data: gee
    with working independence prints estimates, naive and robust (by patient) standard errors."""
    frame, names = read_patients()
    battles, fit = fitted(frame, covariates=names, anchors={"poor": 0})
    printed, naive, robust = (np.array(column) for column in zip(*PATIENTS.values(), strict=True))
    scale = np.array([1, *frame[names].std(ddof=0)])  # effects are per standard deviation
    wanted = ["good", *names]
    assert estimates(fit)[wanted].to_numpy() / scale == pytest.approx(printed, abs=5e-9)
    assert errors(fit)[wanted].to_numpy() / scale == pytest.approx(naive, abs=5e-9)

    votes = score_votes(battles, fit)
    scores = votes.by_group(cluster_codes(votes, battles, ("voter",)), frame["voter"].nunique())
    half = contrast(fit) @ fit.design.invert(fit.design.information(fit.params))
    uncorrected = np.sqrt(((half @ scores.T) ** 2).sum(axis=1))[wanted].to_numpy()
    assert uncorrected / scale == pytest.approx(robust, abs=5e-9)


EVALICA = {
    "evalica_simple": (
        {"4": 0.34947527, "3": 0.33688868, "2": 0.13168568, "1": 0.13115069, "0": 0.05079967},
        {"4": 1004.0562423948679, "3": 1003.8861974411536, "2": 999.9773072285024,
         "1": 999.9771705955386, "0": 992.1030823399375},
    ),
    "evalica_food": (
        {"Tacos": 0.43428983, "Sushi": 0.19060028, "Burger": 0.14797665, "Pasta": 0.12815341,
         "Pizza": 0.09897983},
        {"Tacos": 1013.3587771887543, "Sushi": 1002.0980590208538, "Burger": 998.0260933346951,
         "Pasta": 994.1913058814378, "Pizza": 992.325764574259},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", list(EVALICA))
def test_evalicas_reference_ratings(name):
    """simple-golden.csv and food-golden.csv of evalica 0.4: worths of sum 1 with ties as half wins,
    which stop at a tolerance of 1e-6, and Elo from 1000 with K = 4, which is exact."""
    worth, points = EVALICA[name]
    battles, fit = fitted(read(name))
    assert worths(fit)[list(worth)].to_dict() == pytest.approx(worth, abs=2e-5)
    assert ratings.elo(battles, k=4)[list(points)].to_dict() == pytest.approx(points, abs=1e-10)


def test_elo_of_three_teams():
    """Package elo of R, tests/testthat/test_elo.run.R: from 1500 with K = 20."""
    games = [("A", "B", "model_a"), ("A", "C", "model_a"), ("C", "B", "model_b")]
    frame = pd.DataFrame(games, columns=["model_a", "model_b", "winner"])
    result = ratings.elo(ratings.Battles.from_frame(frame), k=20, initial=1500)
    assert result.to_numpy() == pytest.approx([1519.712, 1500.008, 1480.279], abs=5e-4)


def test_fides_table_of_expected_scores(votes_of):
    """FIDE handbook B.02, table 8.1.2, beside the logistic curve: .64 at 100 points, .76 at 200,
    .91 at 400; one win of the weaker then gains K times what it was not expected to score."""
    for gap, expected in [(100, 0.64), (200, 0.76), (400, 0.91)]:
        anchored = ratings.elo(ratings.Battles.from_frame(votes_of({("A", "B"): (1, 0, 0)})), k=20)
        assert anchored["A"] == pytest.approx(1010)
        assert 1 / (1 + 10 ** (-gap / 400)) == pytest.approx(expected, abs=5e-3)
