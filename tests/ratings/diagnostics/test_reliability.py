"""Retest, agreement and the noise ceiling of votes, and the preference for a side."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ratings
from ratings.inference.proportions import estimate_proportion, wilson_interval

# Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", section C: four observers,
# twelve units, 0 for a missing value; it prints alpha to three digits in sections C and F.
OBSERVERS = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
        [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
    ]
)


@pytest.mark.parametrize(
    ("metric", "printed"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)]
)
def test_krippendorffs_alpha_is_the_published_one(metric, printed):
    counts = np.stack([(OBSERVERS == value).sum(axis=0) for value in range(1, 6)], axis=1)
    result = ratings.krippendorff_alpha(counts.astype(float), metric=metric)
    assert result == pytest.approx(printed, abs=5e-4)


def test_wilsons_interval_is_the_published_one():
    """Newcombe (1998), table I: 81 of 263 is 0.2553 to 0.3662, 0 of 20 is 0 to 0.1611."""
    assert np.array(wilson_interval(81 / 263, 263)) == pytest.approx([0.2553, 0.3662], abs=5e-5)
    assert np.array(wilson_interval(0, 20)) == pytest.approx([0, 0.1611], abs=5e-5)


def test_the_interval_of_a_share_is_wider_where_votes_of_a_voter_are_equal():
    hits = np.repeat([True, False] * 10, 20)
    alone = estimate_proportion(hits, np.arange(400), 0.95)
    together = estimate_proportion(hits, np.repeat(np.arange(20), 20), 0.95)
    assert alone.value == together.value == 0.5
    assert together.upper - together.lower > 4 * (alone.upper - alone.lower)


def opinions(random, *, prompts=150, voters=6, certain=0.8, models=4):
    """All voters vote on the same battles; `certain` is the share of the likelier answer."""
    rows = []
    for prompt in range(prompts):
        a, b = random.choice(models, 2, replace=False)
        favoured = random.random() < 0.5
        for voter in range(voters):
            a_wins = favoured if random.random() < certain else not favoured
            swapped = random.random() < 0.5
            left, right = (b, a) if swapped else (a, b)
            won = a_wins != swapped
            rows.append((f"m{left}", f"m{right}", "model_a" if won else "model_b", voter, prompt))
    columns = ["model_a", "model_b", "winner", "voter", "prompt_id"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.assign(battle_id=[f"b{i}" for i in range(len(frame))], repeat_of="")


def measured(frame, **options):
    return ratings.reliability(ratings.Battles.from_frame(frame), **options)


def test_agreement_and_the_ceiling_are_the_true_ones():
    """Voters agree with probability .8^2 + .2^2 = .68; the ceiling is .8."""
    result = measured(opinions(np.random.default_rng(1), prompts=800))
    assert result.unit == "prompt and models"
    assert result.agreement.value == pytest.approx(0.68, abs=0.02)
    assert result.agreement.lower < 0.68 < result.agreement.upper
    assert result.alpha.value == pytest.approx(0.36, abs=0.04)
    assert result.ceiling.value == pytest.approx(0.8, abs=0.015)
    assert result.agreement.votes == 4800


def test_alpha_is_that_of_an_independent_implementation():
    evalica = pytest.importorskip("evalica")
    counts = np.stack([(OBSERVERS == value).sum(axis=0) for value in range(1, 6)], axis=1)
    table = pd.DataFrame(np.where(OBSERVERS == 0, np.nan, OBSERVERS))
    for metric in ("nominal", "ordinal", "interval"):
        theirs = evalica.alpha(table, distance=metric).alpha
        ours = ratings.krippendorff_alpha(counts.astype(float), metric=metric)
        assert ours == pytest.approx(theirs, abs=1e-9)


def test_repeats_are_compared_by_the_model_that_won_not_by_the_side():
    frame = opinions(np.random.default_rng(2), prompts=60)
    original = frame.iloc[:90]
    again = original.rename(columns={"model_a": "model_b", "model_b": "model_a"}).assign(
        winner=original["winner"].map({"model_a": "model_b", "model_b": "model_a"}),
        repeat_of=original["battle_id"],
        battle_id=[f"r{i}" for i in range(90)],
    )
    flipped = again["winner"].map({"model_a": "model_b", "model_b": "model_a"})
    again["winner"] = again["winner"].where(np.arange(90) >= 27, flipped)
    whole = pd.concat([frame, again], ignore_index=True)
    result = measured(whole)
    assert result.retest_source == "repeat_of"
    assert result.retest.value == pytest.approx(0.7)
    assert result.retest.votes == 90
    assert result.retest_corrected.value == pytest.approx(0.4, abs=0.01)
    # Repeats are not votes: nothing else changes.
    assert result.agreement == measured(frame).agreement
    assert result.left == measured(frame).left


def test_numeric_battle_ids_from_a_file_are_matched(tmp_path):
    """A column of numbers with empty cells is read as 5.0 instead of 5."""
    frame = opinions(np.random.default_rng(2), prompts=20).assign(battle_id=range(120))
    again = frame.iloc[:30].assign(
        repeat_of=frame["battle_id"][:30].astype(str), battle_id=range(120, 150)
    )
    path = tmp_path / "votes.csv"
    pd.concat([frame, again]).to_csv(path, index=False)
    columns = ["voter", "prompt_id", "battle_id"]
    result = measured(ratings.read_votes(path, columns=columns))
    assert (result.retest_source, result.retest.votes, result.retest.value) == (
        "repeat_of",
        30,
        1.0,
    )


def test_a_repeat_by_another_voter_is_not_a_repeat():
    frame = opinions(np.random.default_rng(2), prompts=20)
    again = frame.iloc[:30].assign(
        repeat_of=frame["battle_id"][:30], battle_id=[f"r{i}" for i in range(30)]
    )
    again.loc[:9, "voter"] = 99
    assert measured(pd.concat([frame, again], ignore_index=True)).retest.votes == 20


def test_a_part_of_a_table_is_measured_like_a_separate_table():
    one, two = (opinions(np.random.default_rng(seed), prompts=40) for seed in (3, 4))
    other = two.replace({f"m{i}": f"z{i}" for i in range(4)})
    whole = pd.concat([one.assign(language="en"), other.assign(language="de")], ignore_index=True)
    parts = ratings.Battles.by_column(whole, "language")
    for name, alone in (("en", one), ("de", other)):
        result, expected = ratings.reliability(parts[name]), measured(alone)
        assert result.agreement == pytest.approx(expected.agreement)
        assert result.left == pytest.approx(expected.left)


def test_votes_without_weight_are_ignored():
    frame = opinions(np.random.default_rng(2), prompts=60)
    frame["weight"] = np.where(np.arange(len(frame)) % 3 > 0, 0.7, 0.0)
    result, expected = measured(frame), measured(frame[frame["weight"] > 0])
    assert result.left == expected.left
    assert result.agreement == expected.agreement


def test_votes_that_do_not_count_are_ignored():
    frame = opinions(np.random.default_rng(2), prompts=60)
    marked = frame.assign(counted=np.arange(len(frame)) % 3 > 0)
    assert measured(marked).agreement == measured(frame[marked["counted"]]).agreement


def test_the_same_battle_seen_again_is_a_retest():
    frame = opinions(np.random.default_rng(3), prompts=40).drop(columns=["repeat_of", "battle_id"])
    result = measured(pd.concat([frame, frame.iloc[:50]], ignore_index=True))
    assert result.retest_source == "same battle"
    assert result.retest == (1.0, result.retest.lower, 1.0, 50)


def test_prompt_and_models_are_the_unit_if_no_two_voters_saw_the_same_clips():
    frame = opinions(np.random.default_rng(4), prompts=50)
    clips = frame.assign(clip_a=[f"a{i}" for i in range(300)], clip_b=[f"b{i}" for i in range(300)])
    result = measured(clips)
    assert result.unit == "prompt and models"
    assert result.agreement == measured(frame).agreement


def test_few_equal_answers_have_wide_intervals():
    frame = opinions(np.random.default_rng(1), prompts=3, voters=2, certain=1.0)
    result = measured(frame)
    assert result.agreement.value == 1
    assert result.agreement.lower < 0.5
    assert result.alpha.lower < 0
    assert result.ceiling.lower == 0.5


def test_the_ceiling_lies_between_its_bounds():
    """Half of the prompts are hard, half easy: max(p, 1 - p) is .5 and .95, with mean .725."""
    random = np.random.default_rng(5)
    hard = opinions(random, prompts=400, certain=0.5)
    easy = opinions(random, prompts=400, certain=0.95).assign(
        prompt_id=lambda table: table["prompt_id"] + 400
    )
    result = measured(pd.concat([hard, easy], ignore_index=True))
    assert result.ceiling_least.value < 0.725 < result.ceiling.value
    assert result.ceiling_least.value == pytest.approx((0.5 + 0.95**2 + 0.05**2) / 2, abs=0.02)


def test_intervals_by_unit_agree_with_a_bootstrap_over_units():
    """Every answer is by another voter, so that only units are resampled."""
    frame = opinions(np.random.default_rng(6), prompts=300, voters=3)
    frame["voter"] = np.arange(len(frame))
    result = measured(frame)
    a_wins = (frame["winner"] == "model_a") == (frame["model_a"] < frame["model_b"])
    wins = a_wins.groupby(frame["prompt_id"]).sum().to_numpy()
    equal = (wins * (wins - 1) + (3 - wins) * (2 - wins)) / 6
    drawn = np.random.default_rng(0).integers(300, size=(4000, 300))
    low, high = np.quantile(equal[drawn].mean(axis=1), [0.025, 0.975])
    assert result.agreement.value == pytest.approx(equal.mean())
    assert result.agreement.lower == pytest.approx(low, abs=0.006)
    assert result.agreement.upper == pytest.approx(high, abs=0.006)
    # With two answers alpha is 2A - 1, but for the n - 1 of its expected disagreement.
    assert result.alpha.lower == pytest.approx(2 * result.agreement.lower - 1, abs=0.01)


def test_careless_voters_widen_the_interval_of_agreement():
    """Over 200 seeds these intervals cover the truth in 85% of cases; by unit alone in 55%."""
    covered = 0
    share = 1 / np.arange(1, 41)
    for seed in range(60):
        random = np.random.default_rng(seed)
        careful = np.where(random.random(40) < 0.5, 0.5, 0.95)
        rows = []
        for prompt in range(120):
            for voter in random.choice(40, 4, replace=False, p=share / share.sum()):
                word = "model_a" if random.random() < careful[voter] else "model_b"
                rows.append(("A", "B", word, voter, prompt))
        frame = pd.DataFrame(rows, columns=["model_a", "model_b", "winner", "voter", "prompt_id"])
        result = measured(frame).agreement
        covered += result.lower <= AGREEMENT_OF_MIXED <= result.upper
    assert covered / 60 >= 0.72


# Half of the voters are right with .95, half toss a coin: mean of p q + (1 - p)(1 - q).
AGREEMENT_OF_MIXED = (0.95**2 + 0.05**2) / 4 + 0.5 * 3 / 4


def test_clips_identify_the_same_battle():
    frame = opinions(np.random.default_rng(4), prompts=50)
    frame["clip_a"] = frame["model_a"] + "-" + frame["prompt_id"].astype(str)
    frame["clip_b"] = frame["model_b"] + "-" + frame["prompt_id"].astype(str)
    result = measured(frame)
    assert result.unit == "clips"
    assert (
        result.agreement.value == measured(frame.drop(columns=["clip_a", "clip_b"])).agreement.value
    )


def test_names_and_sides_do_not_affect_alpha():
    frame = opinions(np.random.default_rng(5), prompts=60)
    named = frame.replace({"m0": "z0"})
    swapped = frame.rename(columns={"model_a": "model_b", "model_b": "model_a"}).assign(
        winner=frame["winner"].map({"model_a": "model_b", "model_b": "model_a"})
    )
    expected = measured(frame)
    for other in (named, swapped):
        result = measured(other)
        assert result.alpha.value == pytest.approx(expected.alpha.value)
        assert result.alpha_ordinal.value == pytest.approx(expected.alpha_ordinal.value)
    assert measured(swapped).left.value == pytest.approx(1 - expected.left.value)


def test_a_preference_for_a_side_is_significant():
    random = np.random.default_rng(6)
    frame = opinions(random, prompts=300, certain=0.6)
    lean = random.random(len(frame)) < 0.2
    frame["winner"] = frame["winner"].where(~lean, "model_a")
    frame["first"] = np.where(random.random(len(frame)) < 0.5, "a", "b")
    result = measured(frame)
    assert result.left.lower > 0.5
    assert result.left_effect.lower > 0
    assert result.left_effect.value == pytest.approx(70, abs=30)  # .6 of the votes is 70 points
    assert result.first.lower < 0.5 < result.first.upper
    assert result.cluster == "voter"


def test_tables_that_are_too_small_to_measure(votes_of):
    for counts in ({}, {("A", "B"): (3, 2, 1)}):
        result = measured(votes_of(counts))
        assert result.retest.votes == 0
        assert np.isnan(result.retest.value)
        assert result.cluster is None
    assert np.isnan(measured(votes_of({})).left.value)
    counted = ratings.Battles.from_counts(["A", "B"], np.zeros((4, 2, 2)))
    assert np.isnan(ratings.reliability(counted).agreement.value)
    with pytest.raises(ratings.OptionError, match="between 0 and 1"):
        measured(votes_of({}), confidence=95)
    with pytest.raises(ratings.OptionError, match="nominal, ordinal, interval, not 'ratio'"):
        ratings.krippendorff_alpha(np.ones((2, 2)), metric="ratio")


def test_a_column_named_prompt_identifies_the_same_battle():
    frame = opinions(np.random.default_rng(4), prompts=50)
    result, expected = (
        measured(frame.rename(columns={"prompt_id": n})) for n in ("prompt", "prompt_id")
    )
    assert result.unit == "prompt and models"
    assert result == expected


def test_the_reason_for_no_retest_is_reported():
    frame = opinions(np.random.default_rng(4), prompts=20)
    assert measured(pd.concat([frame, frame.iloc[:9]])).retest_note is None
    repeated = frame.assign(repeat_of=[""] * (len(frame) - 1) + ["b1"])
    for votes, note in [
        (frame, "no voter answered the same battle twice"),
        (
            frame.drop(columns="prompt_id"),
            "without clip_a and clip_b, or prompt, repeated battles are unknown",
        ),
        (frame.drop(columns="voter"), "the votes have no voter column"),
        (repeated.drop(columns="battle_id"), "there is no column battle_id"),
    ]:
        assert note in measured(votes).retest_note


def test_an_explicit_column_of_voters_must_exist():
    frame = opinions(np.random.default_rng(4), prompts=20)
    assert measured(frame, voter=None).cluster is None
    for use in (ratings.reliability, ratings.goodness_of_fit, ratings.held_out):
        with pytest.raises(ratings.OptionError, match="no column 'judge' to cluster by"):
            use(ratings.Battles.from_frame(frame), voter="judge")


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["nominal", "ordinal", "interval"]))
def test_alpha_is_one_minus_the_ratio_of_disagreements_over_pairs(seed, metric):
    """By enumerating pairs of answers, within units and over all, in exact definition."""
    random = np.random.default_rng(seed)
    counts = random.integers(0, 3, size=(8, 4)).astype(float)
    kept = counts[counts.sum(axis=1) > 1]
    totals = kept.sum(axis=0)

    def distance(one, other):
        low, high = min(one, other), max(one, other)
        if metric == "nominal":
            return float(one != other)
        if metric == "interval":
            return float((one - other) ** 2)
        return (totals[low : high + 1].sum() - (totals[low] + totals[high]) / 2) ** 2

    answers = [np.repeat(np.arange(4), row.astype(int)) for row in kept]
    pooled = np.concatenate([*answers, np.zeros(0, dtype=int)])
    observed = sum(
        sum(distance(a, b) for a in unit for b in unit) / (len(unit) - 1) for unit in answers
    )
    expected = sum(distance(a, b) for a in pooled for b in pooled)
    result = ratings.krippendorff_alpha(counts, metric=metric)
    if expected == 0:
        assert np.isnan(result)
    else:
        assert result == pytest.approx(1 - observed * (len(pooled) - 1) / expected)


def test_the_chance_of_equal_answers_is_that_with_sides_swapped_at_random():
    """Two of four votes are for a side: 1/2 squared, halved, and the shares of ties and bad."""
    frame = pd.DataFrame({"model_a": "A", "model_b": "B", "winner": ["model_a", "tie"] * 4})
    frame = frame.assign(
        voter="x", prompt_id=np.repeat(np.arange(4), 2), battle_id="", repeat_of=""
    )
    frame["battle_id"] = [f"b{i}" for i in range(8)]
    again = frame.assign(repeat_of=frame["battle_id"], battle_id=[f"r{i}" for i in range(8)])
    result = measured(pd.concat([frame, again], ignore_index=True), voter=None)
    chance = 0.5**2 / 2 + 0.5**2
    assert result.retest.votes == 8
    assert result.retest_corrected.lower == pytest.approx(
        (result.retest.lower - chance) / (1 - chance)
    )


def test_alpha_has_an_interval_where_all_voters_disagree():
    frame = pd.DataFrame({"model_a": "A", "model_b": "B", "winner": ["model_a", "tie"] * 4})
    frame = frame.assign(voter=np.tile(["x", "y"], 4), prompt_id=np.repeat(np.arange(4), 2))
    result = measured(frame)
    assert result.agreement.value == 0
    assert -1 < result.alpha.value < 0
    assert result.alpha.lower <= result.alpha.value < result.alpha.upper
