"""Results in words: the captions below tables and reports."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ratings.diagnostics.fragility import Fragility
from ratings.diagnostics.goodness import GoodnessOfFit
from ratings.dynamic.over_time import OverTime
from ratings.model.bradley_terry import BradleyTerry, unrated_reason
from ratings.planning.planning import Plan
from ratings.screening.anomalies import Screening
from ratings.votes.battles import Battles
from ratings.votes.periods import describe_length

_TIES = {
    "half": "half a win to each",
    "drop": "left out",
    "davidson": "Davidson's model",
    "rao-kupper": "Rao and Kupper's model",
}
_BOTH_BAD = {"tie": "as a tie", "drop": "left out", "own": "an outcome of its own"}
_TIE_PARAMETERS = {"davidson": "nu", "rao-kupper": "theta"}


def describe_rules(ties: str, both_bad: str, tie_parameter: float | None = None) -> list[str]:
    """What a tie and "both bad" counted as."""
    said = f"ties {_TIES[ties]}"
    if tie_parameter is not None and tie_parameter == tie_parameter and ties in _TIE_PARAMETERS:
        said += f" ({_TIE_PARAMETERS[ties]} {tie_parameter:.3g})"
    return [said, f"both bad {_BOTH_BAD[both_bad]}"]


def describe_prior(prior_sd: float | None) -> list[str]:
    """The prior, if there was one."""
    return [] if prior_sd is None else [f"normal prior of {prior_sd:g} points about the mean"]


def describe_anchors(anchors: Mapping[str, float]) -> list[str]:
    """What the scale hangs on; of several anchors no rating of its own is held."""
    if not anchors:
        return []
    if len(anchors) == 1:
        return [f"{name} held at {value:g}" for name, value in anchors.items()]
    *others, last = anchors
    mean = sum(anchors.values()) / len(anchors)
    return [f"the mean of {', '.join(others)} and {last} held at {mean:g}"]


def describe_fit(fit: BradleyTerry) -> list[str]:
    """The rules and the prior of a fit, and what acts beside its ratings."""
    said = describe_rules(fit.ties, fit.both_bad, fit.tie_parameter) + describe_prior(fit.prior_sd)
    effects = [*(["the side"] if fit.side else []), *fit.covariates]
    return said + ([f"{' and '.join(effects)} held equal"] if effects else [])


def describe_clusters(cluster: str | None, note: str | None) -> str:
    """What was taken as independent, and why not what was asked for."""
    return f"by {cluster or 'vote'}" + (f" ({note})" if note else "")


def describe_effect(row: Mapping[str, Any]) -> str:
    """One effect with its interval."""
    return (
        f"{row['effect']} {row['estimate']:.1f} ({row['lower']:.1f} to {row['upper']:.1f}) points"
    )


def describe_unrated(why: str | None) -> list[str]:
    """Why there are no ratings."""
    return [] if why is None else [f"nobody can be rated, because {why}"]


def percent(share: float) -> str:
    """Such as "95%" or "97.5%"."""
    return f"{100 * share:g}%"


def pluralize(number: int, noun: str) -> str:
    """Such as "1 vote" or "1,200 votes"."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def describe_plan(battles: Battles, fit: BradleyTerry, found: Plan) -> list[str]:
    if found.first is None:
        why = describe_unrated(unrated_reason(battles, fit))
        return [f"{pluralize(len(battles), 'vote')} in hand", *why]
    held = f"{pluralize(found.votes, 'vote')} among rated models in hand"
    if found.first_known:
        return [held, f"{found.first} is told apart from all others"]
    needed = "no number of" if found.first_votes is None else f"{found.first_votes:,} more"
    return [held, f"{needed} votes until {found.first} is told apart from all others"]


def describe_tests(found: Screening) -> str:
    made = [test for test in found.tests if found.voters[test].notna().any()]
    if not made:
        return f"none has the {found.least_votes} votes that a test needs"
    others = [test for test in found.tests if test not in made]
    without = f", without {', '.join(others)}: nothing tells" if others else ""
    return f"tests {', '.join(made)}{without}"


def describe_fragility(battles: Battles, fit: BradleyTerry, found: Fragility) -> str:
    """What the row says, in a sentence."""
    if found.status == "alone":
        why = describe_unrated(unrated_reason(battles, fit))
        return why[0] if why else f"{found.first} alone is rated"
    for_it = f"for {found.challenger} against {found.first}"
    if found.added is None:
        added = f"no number of added votes {for_it} is enough"
    else:
        added = f"{pluralize(found.added, 'added vote')} {for_it} would make it first"
    if found.status == "ok":
        those = pluralize(found.votes or 0, "vote")
        if found.by is not None:
            voters = pluralize(len(found.voters), "voter")
            those = f"the {those} of {voters} (by {found.by})"
        return (
            f"without {those}, {found.share:.2%} of the {found.total:,} among rated models, "
            f"{found.challenger} is first; {added}"
        )
    reason = {
        "tied": f"{found.first} and {found.challenger} have equal ratings",
        "votes run out": "leaving votes out takes models their rating, or levels them, before it "
        "changes who is first",
        "firm": f"{found.first} stays first without all that speaks for it, by "
        f"{found.by or 'vote'}",
    }
    return f"{reason[found.status]}; {added}"


def describe_goodness(found: GoodnessOfFit) -> list[str]:
    if found.df < 1:
        tested = "no test: there are no more pairs than the ratings need"
    elif not found.rounds:
        tested = "no test: no resample has finite ratings"
    else:
        tested = (
            f"deviance {found.deviance:.1f} on {found.df} degrees of freedom, "
            f"p {found.p:.2g} from {found.rounds} resamples; dispersion {found.dispersion:.2f}"
        )
    if not found.triads:
        return [tested, "no three models have all met"]
    expected = "" if not found.rounds else f" ({found.circular_expected:.2g} expected by chance)"
    return [tested, f"{found.circular:g} of {found.triads} triads go round{expected}"]


def describe_drift(found: OverTime) -> list[str]:
    """How far ratings drift, or why that cannot be told."""
    said = ["change is from a model's first period to its last"]
    length = describe_length(found.period)
    if len(found.ratings) < 2:
        return [*said, f"one period of {length} tells no drift"]
    upper = "no bound" if np.isinf(found.drift_upper) else f"{found.drift_upper:.2f}"
    drift = f"drift {found.drift_sd:.2f} ({found.drift_lower:.2f} to {upper})"
    return [*said, f"{drift} points a root of a day", f"periods of {length}"]
