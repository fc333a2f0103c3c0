"""Estimates and standard errors that packages of R compute from published data.

Where the source prints no number, or none that could be read; the versions are beside the numbers.
"""

import numpy as np
import pandas as pd
import pytest

import ratings
from published_fits import (
    PER_STRENGTH,
    SCHOOLS,
    WORDS,
    errors,
    estimates,
    fitted,
    read,
    read_counts,
    read_patients,
    read_schools,
)

COMPUTED = 2e-6  # polr stops about here


def test_weights_judged_in_both_orders(votes_of):
    """Data of Davidson and Beaver (1977), p. 699. Computed by glm in R 4.2.2; the effect of being
    lifted second is exp(0.2906847) = 1.337343 in their parametrisation."""
    _, fit = fitted(votes_of(read_counts("weights")), side=True, anchors={"90": 0})
    by_glm = {"95": (0.72828617, 0.16557089), "100": (1.57102651, 0.17431163),
              "105": (2.61058347, 0.19374588), "110": (3.37232429, 0.21391996),
              "side": (-0.29068473, 0.08638991)}  # fmt: skip
    values, deviations = zip(*by_glm.values(), strict=True)
    assert estimates(fit)[list(by_glm)].to_numpy() == pytest.approx(values, abs=COMPUTED)
    assert errors(fit)[list(by_glm)].to_numpy() == pytest.approx(deviations, abs=COMPUTED)


def test_flavours_with_ties_by_rao_and_kupper(votes_of):
    """Data of Springall (1973), section 7. Computed in R 4.2.2 by ordinal 2022.11-16, clm with
    threshold = "symmetric2": strengths against "1", margin, log-likelihood."""
    _, fit = fitted(votes_of(read_counts("flavour")), "rao-kupper", anchors={"1": 0})
    values = [0, -1.674072637, -2.425950956, -0.318868657, -1.387757811, -2.128173635,
              0.963103437, -0.009462807, -0.474024494, 0.697093024]  # fmt: skip
    deviations = [0, 0.203274557, 0.224776975, 0.190522816, 0.198148212, 0.214211677,
                  0.210598738, 0.196873454, 0.193532069, 0.045876717]  # fmt: skip
    assert estimates(fit).to_numpy() == pytest.approx(values, abs=COMPUTED)
    assert errors(fit).to_numpy() == pytest.approx(deviations, abs=COMPUTED)
    assert fit.log_likelihood == pytest.approx(-730.0043615, abs=5e-8)


@pytest.mark.parametrize("ties", ["davidson", "rao-kupper"])
def test_football_with_draws_at_home_and_away(ties):
    """One season of BradleyTerry2's example of Davidson's model with home advantage, and Rao and
    Kupper's; the file says how it was computed."""
    results = read("football").set_index("home").stack().dropna()
    rows = [(*pair, WORDS[result]) for pair, result in results.items()]
    frame = pd.DataFrame(rows, columns=["model_a", "model_b", "winner"])
    _, fit = fitted(frame, ties, side=True, anchors={"Ars": 0})
    column = ties.replace("-", "_")
    in_r = read("football_in_r").set_index("term").astype(float).loc[estimates(fit).index]
    expected = in_r[column] + np.log(2) * ((in_r.index == "tie") & (ties == "davidson"))
    assert estimates(fit).to_numpy() == pytest.approx(expected.to_numpy(), abs=COMPUTED)
    assert errors(fit).to_numpy() == pytest.approx(in_r[f"{column}_error"].to_numpy(), abs=COMPUTED)


@pytest.mark.parametrize("ties", ["drop", "half", "davidson", "rao-kupper"])
def test_students_as_clusters(ties):
    """Standard errors of the management schools' strengths by the information, by vote and by
    student: `universities_in_r` says how they were computed. Ours by student have the factor
    G / (G - 1) of G students. Two of them hold 2% of what is known of Rao and Kupper's margin, and
    are corrected for it, which moves the errors in the fifth digit."""
    battles, fit = fitted(read_schools(), ties, side=ties == "rao-kupper", anchors={SCHOOLS[-1]: 0})
    in_r = read("universities_in_r").query("ties == @ties").set_index("term").drop(columns="ties")
    in_r = in_r.astype(float)
    same = {name: pytest.approx(in_r[name].to_numpy(), abs=COMPUTED) for name in in_r}
    assert estimates(fit)[in_r.index].to_numpy() == same["estimate"]
    assert errors(fit)[in_r.index].to_numpy() == same["by_information"]
    shown = in_r.index.drop("tie", errors="ignore")
    for cluster, name, factor in ((None, "by_vote", 1.0), ("voter", "by_student", 303 / 302)):
        around = ratings.intervals(battles, fit, cluster=cluster)
        variance = pd.concat([around.variance, around.effects["variance"]])[shown]
        expected = np.sqrt(factor) * in_r[name][shown].to_numpy()
        if not np.isnan(expected).any():  # psychotools has no scores by vote
            result = np.sqrt(variance.to_numpy()) / PER_STRENGTH
            corrected = ties == "rao-kupper" and cluster is not None
            assert result == pytest.approx(expected, abs=1e-5 if corrected else COMPUTED)


# sandwich 3.0-2 by vote; clubSandwich 0.5.8, vcovCR by patient, type CR0 and CR2; R 4.2.2, with
# glm run to epsilon = 1e-14.
PATIENTS = {
    None: [0.316848428, 0.238761346, 0.236549746, 0.291011485, 0.239078414, 0.008436752],
    "CR0": [0.460327004, 0.356819126, 0.350777966, 0.443202346, 0.350051517, 0.013004264],
    "CR2": [0.477943819, 0.368780995, 0.361467742, 0.461212724, 0.361094382, 0.013595859],
}


def test_patients_as_few_clusters():
    """Logistic regression of the respiratory data, where no regressor varies within a patient, so
    that our correction for clusters is CR2. On top of it comes the factor G / (G - 1)."""
    frame, names = read_patients()
    battles, fit = fitted(frame, covariates=names, anchors={"poor": 0})
    scale = np.array([1, *frame[names].std(ddof=0)])
    few = np.sqrt(111 / 110)

    def standard_errors(cluster):
        around = ratings.intervals(battles, fit, cluster=cluster)
        variance = np.array([around.variance["good"], *around.effects["variance"]])
        return np.sqrt(variance) / PER_STRENGTH / scale

    assert standard_errors(None) == pytest.approx(PATIENTS[None], abs=1e-9)
    by_patient = standard_errors("voter") / few
    assert by_patient == pytest.approx(PATIENTS["CR2"], abs=1e-9)
    assert (by_patient > np.array(PATIENTS["CR0"]) * 1.03).all()
