"""Results in words: the captions below tables and reports."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ratings.model.bradley_terry import BradleyTerry, unrated_reason
from ratings.printable import pluralize
from ratings.schema import column_word
from ratings.votes.battles import Battles
from ratings.votes.periods import describe_length

if TYPE_CHECKING:
    from ratings.diagnostics.fragility import Fragility
    from ratings.diagnostics.goodness import GoodnessOfFit
    from ratings.dynamic.over_time import OverTime
    from ratings.inference.anytime import FirstPlace
    from ratings.leaderboard import Effect
    from ratings.planning.planning import Plan
    from ratings.screening.anomalies import Screening

_TIES = {
    "half": "half a win to each",
    "drop": "left out",
    "davidson": "Davidson's model",
    "rao-kupper": "Rao and Kupper's model",
}
_BOTH_BAD = {"tie": "as a tie", "drop": "left out", "own": "an outcome of its own"}
_TIE_PARAMETERS = {"davidson": "nu", "rao-kupper": "theta"}


def rules(ties: str, both_bad: str, tie_parameter: float | None = None) -> list[str]:
    """How ties and "both bad" were counted."""
    counted = f"ties {_TIES[ties]}"
    estimated = tie_parameter is not None and not np.isnan(tie_parameter)
    if estimated and ties in _TIE_PARAMETERS:
        counted += f" ({_TIE_PARAMETERS[ties]} {tie_parameter:.3g})"
    return [counted, f"both bad {_BOTH_BAD[both_bad]}"]


def prior(prior_sd: float | None) -> list[str]:
    """The prior, if any."""
    return [] if prior_sd is None else [f"normal prior of {prior_sd:g} points about the mean"]


def anchors(values: Mapping[str, float]) -> list[str]:
    """What fixes the scale: one rating, or the mean of several."""
    if not values:
        return []
    if len(values) == 1:
        return [f"{name} held at {value:g}" for name, value in values.items()]
    *others, last = values
    mean = sum(values.values()) / len(values)
    return [f"the mean of {', '.join(others)} and {last} held at {mean:g}"]


def model(fit: BradleyTerry) -> list[str]:
    """The rules and the prior of a fit, and the effects controlled for."""
    lines = rules(fit.ties, fit.both_bad, fit.tie_parameter) + prior(fit.prior_sd)
    effects = [*(["the side"] if fit.side else []), *fit.covariates]
    return lines + ([f"controlled for {' and '.join(effects)}"] if effects else [])


def clusters(cluster: str | None, note: str | None) -> str:
    """What intervals are clustered by, and why a requested column was not used."""
    how = f"clustered by {column_words(cluster)}" if cluster else "by vote"
    return how + (f" ({note})" if note else "")


def column_words(columns: str) -> str:
    """One or two names of columns, joined by "and", as people say them."""
    return " and ".join(column_word(name) for name in columns.split(" and "))


def effect(estimated: "Effect") -> str:
    """An effect with its interval."""
    bounds = f"{estimated.lower:.1f} to {estimated.upper:.1f}"
    return f"{estimated.effect} {estimated.estimate:.1f} ({bounds}) points"


def unrated(reason: str | None) -> list[str]:
    """Why there are no ratings, if there are none."""
    return [] if reason is None else [f"no model can be rated: {reason}"]


def percent(share: float) -> str:
    """Such as "95%" or "97.5%"."""
    return f"{100 * share:g}%"


def votes_needed(battles: Battles, fit: BradleyTerry, result: "Plan") -> list[str]:
    """How many votes there are, and how many more the first place needs."""
    if result.first is None:
        return [
            f"{pluralize(len(battles), 'vote')} so far",
            *unrated(unrated_reason(battles, fit)),
        ]
    so_far = f"{pluralize(result.votes, 'vote')} among rated models so far"
    if result.first_known:
        return [so_far, f"{result.first} is significantly ahead of all others"]
    ahead = f"until {result.first} is significantly ahead of all others"
    if result.first_votes is None:
        return [so_far, f"no number of votes {ahead}"]
    return [so_far, f"{pluralize(result.first_votes, 'more vote')} {ahead}"]


def tests(result: "Screening") -> str:
    """Which tests of voters were possible."""
    made = [test for test in result.tests if result.voters[test].notna().any()]
    if not made:
        return f"no voter has the {result.min_votes} votes that a test needs"
    others = [test for test in result.tests if test not in made]
    without = f", without {', '.join(others)} for lack of data" if others else ""
    return f"tests {', '.join(made)}{without}"


def fragility(battles: Battles, fit: BradleyTerry, result: "Fragility") -> str:
    """What would change the first place."""
    if result.status == "alone":
        reason = unrated(unrated_reason(battles, fit))
        return reason[0] if reason else f"only {result.first} is rated"
    pair = f"for {result.challenger} against {result.first}"
    if result.added is None:
        added = f"no number of added votes {pair} is enough"
    else:
        added = f"{pluralize(result.added, 'added vote')} {pair} would make it first"
    if result.status == "ok":
        removed = pluralize(result.votes or 0, "vote")
        if result.by is not None:
            voters = pluralize(len(result.voters), "voter")
            removed = f"the {removed} of {voters} (by {column_words(result.by)})"
        return (
            f"without {removed}, {result.share:.2%} of the {result.total:,} among rated models, "
            f"{result.challenger} is first; {added}"
        )
    reasons = {
        "tied": f"{result.first} and {result.challenger} have equal ratings",
        "votes run out": "removing votes makes models unratable, or equal, before it changes the "
        "first place",
        "firm": f"{result.first} stays first even without all evidence in its favour, by "
        f"{column_words(result.by or 'vote')}",
    }
    return f"{reasons[result.status]}; {added}"


def first_place(battles: Battles, fit: BradleyTerry, result: "FirstPlace") -> str:
    """Whether the first place is known."""
    if result.status == "alone":
        reason = unrated(unrated_reason(battles, fit))
        return reason[0] if reason else f"only {result.first} is rated"
    lead = f"{result.first} over {result.challenger}"
    if result.status == "known":
        return (
            f"{result.first} is first: the lead of {lead} is at least {result.gap_lower:.0f} points"
        )
    if result.status == "unrated rival":
        return "a model that won or tied votes cannot be rated, so the first place is not known"
    return f"the first place is not known yet: p = {result.p:.3g} for the lead of {lead}"


def goodness(result: "GoodnessOfFit") -> list[str]:
    """The test of fit, and the circular triads."""
    if result.df < 1:
        tested = "no test: there are no more pairs than the ratings need"
    elif not result.rounds:
        tested = "no test: no resample has finite ratings"
    else:
        tested = (
            f"deviance {result.deviance:.1f} on {result.df} degrees of freedom, "
            f"p {result.p:.2g} from {result.rounds} resamples; dispersion {result.dispersion:.2f}"
        )
    if not result.triads:
        return [tested, "no three models have all met"]
    expected = "" if not result.rounds else f" ({result.circular_expected:.2g} expected by chance)"
    return [tested, f"{result.circular:g} of {result.triads} triads are circular{expected}"]


def drift(result: "OverTime") -> list[str]:
    """How far ratings drift, or why that cannot be estimated."""
    lines = ["change is from a model's first period to its last"]
    length = describe_length(result.period)
    if len(result.ratings) < 2:
        return [*lines, f"drift cannot be estimated from one period of {length}"]
    upper = "no bound" if np.isinf(result.drift_upper) else f"{result.drift_upper:.2f}"
    estimate = f"drift {result.drift_sd:.2f} ({result.drift_lower:.2f} to {upper})"
    return [*lines, f"{estimate} points per square root of a day", f"periods of {length}"]
