"""Voters against themselves and each other, and the side they favour."""

import numpy as np
import pandas as pd
import pytest

import ratings
from ratings.shares import estimate_share, wilson_interval

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
    found = ratings.krippendorff_alpha(counts.astype(float), metric=metric)
    assert found == pytest.approx(printed, abs=5e-4)


def test_wilsons_interval_is_the_published_one():
    """Newcombe (1998), table I: 81 of 263 is 0.2553 to 0.3662, 0 of 20 is 0 to 0.1611."""
    assert np.array(wilson_interval(81 / 263, 263)) == pytest.approx([0.2553, 0.3662], abs=5e-5)
    assert np.array(wilson_interval(0, 20)) == pytest.approx([0, 0.1611], abs=5e-5)


def test_the_interval_of_a_share_knows_that_votes_of_a_voter_hang_together():
    hits = np.repeat([True, False] * 10, 20)
    alone = estimate_share(hits, np.arange(400), 0.95)
    together = estimate_share(hits, np.repeat(np.arange(20), 20), 0.95)
    assert alone.value == together.value == 0.5
    assert together.upper - together.lower > 4 * (alone.upper - alone.lower)


def opinions(random, *, prompts=150, voters=6, certain=0.8, models=4):
    """Everyone votes on the same battles; the likelier answer is given with `certain`."""
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


def test_agreement_and_the_ceiling_are_those_that_were_drawn():
    """Two voters agree with .8^2 + .2^2 = .68; who knows the likelier answer is right in .8."""
    found = measured(opinions(np.random.default_rng(1), prompts=800))
    assert found.unit == "prompt and models"
    assert found.agreement.value == pytest.approx(0.68, abs=0.02)
    assert found.agreement.lower < 0.68 < found.agreement.upper
    assert found.alpha.value == pytest.approx(0.36, abs=0.04)
    assert found.ceiling.value == pytest.approx(0.8, abs=0.015)
    assert found.agreement.votes == 4800


def test_alpha_is_that_of_an_independent_implementation():
    evalica = pytest.importorskip("evalica")
    counts = np.stack([(OBSERVERS == value).sum(axis=0) for value in range(1, 6)], axis=1)
    table = pd.DataFrame(np.where(OBSERVERS == 0, np.nan, OBSERVERS))
    for metric in ("nominal", "ordinal", "interval"):
        theirs = evalica.alpha(table, distance=metric).alpha
        ours = ratings.krippendorff_alpha(counts.astype(float), metric=metric)
        assert ours == pytest.approx(theirs, abs=1e-9)


def test_a_deliberate_repeat_is_compared_by_the_model_that_won_not_by_the_side():
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
    found = measured(whole)
    assert found.retest_source == "repeat_of"
    assert found.retest.value == pytest.approx(0.7)
    assert found.retest.votes == 90
    assert found.retest_corrected.value == pytest.approx(0.4, abs=0.01)
    # Repeats are no votes: nothing else changes.
    assert found.agreement == measured(frame).agreement
    assert found.left == measured(frame).left


def test_votes_that_do_not_count_say_nothing():
    frame = opinions(np.random.default_rng(2), prompts=60)
    held = frame.assign(counted=np.arange(len(frame)) % 3 > 0)
    assert measured(held).agreement == measured(frame[held["counted"]]).agreement


def test_meeting_the_same_battle_again_is_a_retest_too():
    frame = opinions(np.random.default_rng(3), prompts=40).drop(columns=["repeat_of", "battle_id"])
    found = measured(pd.concat([frame, frame.iloc[:50]], ignore_index=True))
    assert found.retest_source == "same battle"
    assert found.retest == (1.0, found.retest.lower, 1.0, 50)


def test_clips_tell_what_the_same_battle_is():
    frame = opinions(np.random.default_rng(4), prompts=50)
    frame["clip_a"] = frame["model_a"] + "-" + frame["prompt_id"].astype(str)
    frame["clip_b"] = frame["model_b"] + "-" + frame["prompt_id"].astype(str)
    found = measured(frame)
    assert found.unit == "clips"
    assert (
        found.agreement.value == measured(frame.drop(columns=["clip_a", "clip_b"])).agreement.value
    )


def test_names_and_sides_are_no_information_to_alpha():
    frame = opinions(np.random.default_rng(5), prompts=60)
    named = frame.replace({"m0": "z0"})
    swapped = frame.rename(columns={"model_a": "model_b", "model_b": "model_a"}).assign(
        winner=frame["winner"].map({"model_a": "model_b", "model_b": "model_a"})
    )
    expected = measured(frame)
    for other in (named, swapped):
        found = measured(other)
        assert found.alpha.value == pytest.approx(expected.alpha.value)
        assert found.alpha_ordinal.value == pytest.approx(expected.alpha_ordinal.value)
    assert measured(swapped).left.value == pytest.approx(1 - expected.left.value)


def test_a_side_that_voters_favour_is_found_with_its_interval():
    random = np.random.default_rng(6)
    frame = opinions(random, prompts=300, certain=0.6)
    lean = random.random(len(frame)) < 0.2
    frame["winner"] = frame["winner"].where(~lean, "model_a")
    frame["first"] = np.where(random.random(len(frame)) < 0.5, "a", "b")
    found = measured(frame)
    assert found.left.lower > 0.5
    assert found.left_effect.lower > 0
    assert found.left_effect.value == pytest.approx(70, abs=30)  # .6 of the votes is 70 points
    assert found.first.lower < 0.5 < found.first.upper
    assert found.cluster == "voter"


def test_nothing_to_measure(votes_of):
    for counts in ({}, {("A", "B"): (3, 2, 1)}):
        found = measured(votes_of(counts))
        assert found.retest.votes == 0
        assert np.isnan(found.retest.value)
        assert found.cluster is None
    assert np.isnan(measured(votes_of({})).left.value)
    counted = ratings.Battles.from_counts(["A", "B"], np.zeros((4, 2, 2)))
    assert np.isnan(ratings.reliability(counted).agreement.value)
    with pytest.raises(ratings.OptionError, match="between 0 and 1"):
        measured(votes_of({}), confidence=95)
    with pytest.raises(ratings.OptionError, match="nominal, ordinal, interval, not 'ratio'"):
        ratings.krippendorff_alpha(np.ones((2, 2)), metric="ratio")
