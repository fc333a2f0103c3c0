"""Likelihoods, gradients and matrices of votes, against plain sums over pairs and single votes."""

import numpy as np
import pytest

from ratings.inference import vote_scores
from ratings.inference.vote_scores import VoteScores
from ratings.model import design as designs
from ratings.model.design import NEITHER_STRENGTH, SIDE, TIE_PARAMETER, Design, Extra
from ratings.model.newton import maximise
from ratings.model.outcomes import LOG_ODDS, NEITHER, TIE, OutcomeRules, derivatives
from ratings.model.refit import refit

SIZE = 4
A, B, TIED, BOTH_BAD = range(4)
# By rule for ties: with "both bad" as an answer of its own where the rule allows it.
RULES = {"davidson": "own", "half": "own", "drop": "own", "rao-kupper": "tie"}


def some_design(ties="davidson", *, seed=0, pairs=12, low=1):
    """Every pair of four models in both orders, a side effect, a covariate and what ties need."""
    random = np.random.default_rng(seed)
    rules = OutcomeRules(ties, RULES[ties])
    left, right = np.nonzero(~np.eye(SIZE, dtype=bool))
    extras = [Extra(SIDE, LOG_ODDS), Extra("length", LOG_ODDS, random.normal(size=pairs))]
    if rules.estimates_tie:
        extras.append(Extra(TIE_PARAMETER, TIE))
    if rules.both_bad == "own":
        extras.append(Extra(NEITHER_STRENGTH, NEITHER))
    counts = rules.apply(random.integers(low, 20, size=(4, pairs)).astype(float))
    return Design(SIZE, left[:pairs], right[:pairs], counts, rules, tuple(extras))


def some_params(design, seed=1):
    params = np.random.default_rng(seed).normal(scale=0.5, size=design.n_params)
    if (tie := design.index_of(TIE_PARAMETER)) is not None:
        params[tie] = 0.7  # Rao and Kupper's margin is positive
    return params


def jacobian(design, pair):
    """How the log odds, the tie parameter and "neither" of a pair depend on each parameter."""
    rows = np.zeros((3, design.n_params))
    left, right = design.left[pair], design.right[pair]
    rows[LOG_ODDS, left] += 1
    rows[LOG_ODDS, right] -= 1
    rows[NEITHER, left] -= 0.5
    rows[NEITHER, right] -= 0.5
    for number, extra in enumerate(design.extras, start=design.size):
        rows[extra.acts_on, number] += 1 if extra.column is None else extra.column[pair]
    return rows


def slope(function, params, step=1e-5):
    """The derivative of a function by each parameter, by central differences."""
    moves = np.eye(len(params)) * step
    return np.array([(function(params + m) - function(params - m)) / (2 * step) for m in moves])


@pytest.mark.parametrize("log_nu", [None, 0.4])
@pytest.mark.parametrize("neither", [None, -0.3])
def test_answers_with_weights_have_their_shares(log_nu, neither):
    """Davidson's weights: exp(d/2), exp(-d/2), nu for a tie, and that of "both bad"."""
    odds = np.array([-1.5, 0.0, 0.8])
    absent = np.zeros_like(odds)
    weights = np.stack(
        [
            np.exp(odds / 2),
            np.exp(-odds / 2),
            absent if log_nu is None else absent + np.exp(log_nu),
            absent if neither is None else absent + np.exp(neither),
        ]
    )
    found = derivatives(
        "davidson",
        odds,
        -np.inf if log_nu is None else log_nu,
        None if neither is None else absent + neither,
    )
    given = weights[:, 0] > 0
    shares = (weights / weights.sum(axis=0))[given]
    assert np.exp(found.log_probability[given]) == pytest.approx(shares)
    # A score of mean 0, whose variance is the curvature.
    score = found.score[given]
    assert np.einsum("oc,okc->kc", shares, score) == pytest.approx(np.zeros((3, 3)), abs=1e-12)
    assert np.einsum("oc,okc,olc->klc", shares, score, score) == pytest.approx(found.curvature[0])


@pytest.mark.parametrize("ties", RULES)
def test_gradient_and_information_are_the_slopes_of_the_log_likelihood(ties):
    design = some_design(ties)
    params = some_params(design)
    value, gradient, information = design.score_and_information(params)
    assert value == pytest.approx(design.log_likelihood(params))
    assert gradient == pytest.approx(slope(design.log_likelihood, params), rel=1e-5, abs=1e-4)
    by_parameter = slope(lambda each: design.score_and_information(each)[1], params)
    assert information == pytest.approx(-by_parameter, rel=1e-5, abs=1e-4)
    assert design.information(params) == pytest.approx(information)


@pytest.mark.parametrize("ties", RULES)
def test_the_chain_rule_sums_over_pairs(ties):
    design = some_design(ties)
    random = np.random.default_rng(2)
    pairs = range(len(design.left))
    scores = random.normal(size=(3, len(pairs)))
    products = random.normal(size=(3, 3, len(pairs)))
    products += products.transpose(1, 0, 2)
    if design.index_of(NEITHER_STRENGTH) is None:
        scores[NEITHER], products[NEITHER], products[:, NEITHER] = 0, 0, 0
    rows = [jacobian(design, pair) for pair in pairs]
    assert design.to_gradient(scores) == pytest.approx(
        sum(rows[pair].T @ scores[:, pair] for pair in pairs)
    )
    assert design.to_matrix(products) == pytest.approx(
        sum(rows[pair].T @ products[:, :, pair] @ rows[pair] for pair in pairs)
    )


def test_covariates_of_many_pairs_are_summed_in_parts(monkeypatch):
    design = some_design()
    params = some_params(design)
    whole = design.score_and_information(params), design.squared_scores(params)
    monkeypatch.setattr(designs, "_BLOCK", 5)
    assert [len(block.left) for block in design.blocks()] == [5, 5, 2]
    parts = design.score_and_information(params), design.squared_scores(params)
    for found, expected in zip((*parts[0], parts[1]), (*whole[0], whole[1]), strict=True):
        assert found == pytest.approx(expected)


@pytest.mark.parametrize("ties", RULES)
def test_scores_by_group_are_sums_over_single_votes(monkeypatch, ties):
    monkeypatch.setattr(vote_scores, "_CHUNK", 7)
    design = some_design(ties)
    params = some_params(design)
    random = np.random.default_rng(3)
    score = design.evaluate(params).score
    pair = random.integers(len(design.left), size=50)
    votes = VoteScores(
        rows=None,
        left=design.left[pair].astype(np.int8),
        right=design.right[pair].astype(np.int8),
        pair=pair.astype(np.int16),
        outcome=random.choice(np.flatnonzero(design.counts.any(axis=1)), size=50).astype(np.int8),
        weight=random.uniform(0.5, 2, size=50),
        design=design,
        params=params,
        score=score,
    )
    group = random.integers(4, size=50).astype(np.int8)
    expected = np.zeros((5, design.n_params))  # nobody is in the last group
    for vote in range(50):
        derivative = score[votes.outcome[vote], :, pair[vote]]
        gradient = jacobian(design, pair[vote]).T @ derivative
        expected[group[vote]] += votes.weight[vote] * gradient
    assert votes.by_group(group, 5) == pytest.approx(expected)
    totals = np.zeros((4, len(design.left)))
    np.add.at(totals, (votes.outcome, pair), votes.weight)
    assert votes.total() == pytest.approx(totals)


@pytest.mark.parametrize("prior_sd", [None, 0.3])
@pytest.mark.parametrize("ties", RULES)
def test_at_the_maximum_the_slope_is_zero_from_any_start(ties, prior_sd):
    design = some_design(ties)

    def penalized(params):
        penalty = 0.0
        if prior_sd is not None:
            strengths = params[:SIZE] - params[:SIZE].mean()
            penalty = (strengths**2).sum() / (2 * prior_sd**2)
        return design.log_likelihood(params) - penalty

    found = maximise(design, prior_sd=prior_sd)
    assert slope(penalized, found.params) == pytest.approx(np.zeros(design.n_params), abs=1e-4)
    assert found.params[:SIZE].mean() == pytest.approx(0)
    assert found.log_likelihood == pytest.approx(design.log_likelihood(found.params))
    far = maximise(design, prior_sd=prior_sd, start=some_params(design) * 4)
    assert far.params == pytest.approx(found.params, abs=1e-8)
    near = maximise(design, prior_sd=prior_sd, start=found.params)
    assert near.steps <= 2
    assert near.params == pytest.approx(found.params, abs=1e-8)


def test_one_model_needs_no_votes():
    lone = np.zeros(0, dtype=np.intp)
    design = Design(1, lone, lone, np.zeros((4, 0)), OutcomeRules("half", "tie"))
    assert maximise(design).params.tolist() == [0.0]


@pytest.mark.parametrize("ties", RULES)
def test_a_refit_is_the_maximum_of_the_new_counts(ties):
    design = some_design(ties)
    other = design.select(slice(None), some_design(ties, seed=5).counts)
    found = refit(other, prior_sd=None, start=maximise(design).params)
    assert found == pytest.approx(maximise(other).params, abs=1e-8)


@pytest.mark.parametrize("answer", [TIED, BOTH_BAD])
def test_a_refit_without_an_answer_that_has_a_parameter_needs_a_prior(answer):
    design = some_design()
    counts = design.counts.copy()
    counts[answer] = 0
    assert refit(design.select(slice(None), counts), prior_sd=None) is None
    counts[answer, 0] = 1
    assert refit(design.select(slice(None), counts), prior_sd=None) is not None


def test_a_refit_whose_models_are_not_connected_needs_a_prior():
    design = some_design("half")
    apart = (design.left < 2) != (design.right < 2)
    counts = design.counts * ~apart
    assert refit(design.select(slice(None), counts), prior_sd=None) is None
    assert refit(design.select(slice(None), counts), prior_sd=0.5) is not None
    # A single tie between the two halves connects them.
    counts[TIED, np.flatnonzero(apart)[0]] = 1
    assert refit(design.select(slice(None), counts), prior_sd=None) is not None


def test_a_model_that_only_wins_needs_a_prior():
    design = some_design("half")
    counts = design.counts.copy()
    counts[:, (design.left == 0) | (design.right == 0)] = 0
    counts[A, design.left == 0] = 3
    assert refit(design.select(slice(None), counts), prior_sd=None) is None
    found = refit(design.select(slice(None), counts), prior_sd=0.5)
    assert found is not None
    assert found[:SIZE].argmax() == 0
