"""What the results of reports say, in sentences."""

import numpy as np

from ratings.cli import captions
from ratings.diagnostics.fragility import Fragility
from ratings.diagnostics.goodness import GoodnessOfFit
from ratings.dynamic.over_time import OverTime
from ratings.model.bradley_terry import BradleyTerry, why_nobody
from ratings.planning.planning import Plan
from ratings.screening.anomalies import Screening
from ratings.votes.battles import Battles
from ratings.votes.periods import describe_length


def votes_in_hand(battles: Battles, fit: BradleyTerry, found: Plan) -> list[str]:
    if found.first is None:
        why = captions.nobody(why_nobody(battles, fit))
        return [f"{captions.count(len(battles), 'vote')} in hand", *why]
    held = f"{captions.count(found.votes, 'vote')} among rated models in hand"
    if found.first_known:
        return [held, f"{found.first} is told apart from all others"]
    needed = "no number of" if found.first_votes is None else f"{found.first_votes:,} more"
    return [held, f"{needed} votes until {found.first} is told apart from all others"]


def tests_made(found: Screening) -> str:
    made = [test for test in found.tests if found.voters[test].notna().any()]
    if not made:
        return f"none has the {found.least_votes} votes that a test needs"
    others = [test for test in found.tests if test not in made]
    without = f", without {', '.join(others)}: nothing tells" if others else ""
    return f"tests {', '.join(made)}{without}"


def what_flips(battles: Battles, fit: BradleyTerry, found: Fragility) -> str:
    """What the row says, in a sentence."""
    if found.status == "alone":
        why = captions.nobody(why_nobody(battles, fit))
        return why[0] if why else f"{found.first} alone is rated"
    for_it = f"for {found.challenger} against {found.first}"
    if found.added is None:
        added = f"no number of added votes {for_it} is enough"
    else:
        added = f"{captions.count(found.added, 'added vote')} {for_it} would make it first"
    if found.status == "ok":
        those = captions.count(found.votes or 0, "vote")
        if found.by is not None:
            voters = captions.count(len(found.voters), "voter")
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


def how_it_fits(found: GoodnessOfFit) -> list[str]:
    if found.freedom < 1:
        tested = "no test: there are no more pairs than the ratings need"
    elif not found.rounds:
        tested = "no test: no resample has finite ratings"
    else:
        tested = (
            f"deviance {found.deviance:.1f} on {found.freedom} degrees of freedom, "
            f"p {found.p:.2g} from {found.rounds} resamples; dispersion {found.dispersion:.2f}"
        )
    if not found.triads:
        return [tested, "no three models have all met"]
    expected = "" if not found.rounds else f" ({found.circular_expected:.2g} expected by chance)"
    return [tested, f"{found.circular:g} of {found.triads} triads go round{expected}"]


def drift_of(found: OverTime) -> list[str]:
    """How far ratings drift, or why that cannot be told."""
    said = ["change is from a model's first period to its last"]
    length = describe_length(found.period)
    if len(found.ratings) < 2:
        return [*said, f"one period of {length} tells no drift"]
    upper = "no bound" if np.isinf(found.drift_upper) else f"{found.drift_upper:.2f}"
    drift = f"drift {found.drift_sd:.2f} ({found.drift_lower:.2f} to {upper})"
    return [*said, f"{drift} points a root of a day", f"periods of {length}"]
