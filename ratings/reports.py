"""What `python -m ratings --report NAME` computes: each a table and a line on what it rests on."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ratings.anomalies import CLIPS, DECIDED, DRAWN, screen_voters
from ratings.battles import Battles
from ratings.bradley_terry import BradleyTerry, bradley_terry
from ratings.columns import STAND_INS, VOTER
from ratings.errors import OptionError
from ratings.fragility import votes_to_flip
from ratings.goodness import goodness_of_fit
from ratings.held_out import held_out
from ratings.over_time import over_time
from ratings.periods import TIMES
from ratings.planning import plan
from ratings.reliability import reliability
from ratings.sampling import pair_probabilities
from ratings.shares import Estimate
from ratings.uncertainty import intervals

_BY = (VOTER, STAND_INS[VOTER])


class Report(NamedTuple):
    """A table with one line below it."""

    table: pd.DataFrame
    caption: str


class Kind(NamedTuple):
    """A report that can be asked for.

    Attributes:
        make: from the votes and the options of the command line.
        columns: of the votes, that it reads where they are.
        help: what it tells.
    """

    make: Callable[[Battles, Mapping[str, Any]], Report]
    columns: tuple[str, ...]
    help: str


def _one_column(options: Mapping[str, Any]) -> str | None:
    """The column of `--cluster`, of which these reports take one."""
    columns = options["cluster"] or [None]
    if len(columns) > 1:
        raise OptionError("this report takes one column to cluster by, not two")
    column: str | None = columns[0]
    return column


def _fit(battles: Battles, options: Mapping[str, Any]) -> BradleyTerry:
    return bradley_terry(
        battles,
        options["ties"],
        both_bad=options["both_bad"],
        anchors=options["anchors"],
        side=options["side"],
        covariates=options["covariates"],
        prior_sd=options["prior_sd"],
    )


def _pairs(battles: Battles, options: Mapping[str, Any]) -> Report:
    found = pair_probabilities(battles)
    chance = found.probability
    left, right = np.triu_indices(len(chance), 1)
    table = pd.DataFrame(
        {
            "model": chance.index[left],
            "other": chance.index[right],
            "probability": chance.to_numpy()[left, right],
        }
    )
    table = table.sort_values("probability", ascending=False, ignore_index=True)
    return Report(table, f"{found.rule} rule; {found.explore:.0%} of the draws are uniform")


def _plan(battles: Battles, options: Mapping[str, Any]) -> Report:
    fit = _fit(battles, options)
    spread = intervals(battles, fit, confidence=options["confidence"], cluster=options["cluster"])
    found = plan(battles, fit, spread, power=options["power"])
    if found.first is None:
        first = "nobody is rated"
    elif found.first_known:
        first = f"{found.first} is told apart from all others"
    else:
        needed = "no number of" if found.first_votes is None else f"{found.first_votes:,} more"
        first = f"{needed} votes until {found.first} is told apart from all others"
    caption = (
        f"power {found.power:g} at {found.confidence:.0%} confidence, by "
        f"{spread.cluster or 'vote'}; {found.votes:,} votes in hand; {first}"
    )
    return Report(found.neighbours, caption)


def _voters(battles: Battles, options: Mapping[str, Any]) -> Report:
    by = _one_column(options) or VOTER
    found = screen_voters(battles, _fit(battles, {**options, "covariates": []}), by=by)
    if found.by is None:
        return Report(found.voters.reset_index(), "no column tells who voted")
    flagged = found.voters[found.voters["flagged"]].drop(columns="flagged").reset_index()
    caption = (
        f"{len(flagged):,} of {len(found.voters):,} voters flagged, at most {found.rate:.0%} of "
        f"them falsely; by {found.by}; honest tastes differ by {found.taste_sd:.0f} points"
    )
    return Report(flagged, caption)


def _first(battles: Battles, options: Mapping[str, Any]) -> Report:
    by = _one_column(options)
    found = votes_to_flip(battles, _fit(battles, options), by=by)
    table = pd.DataFrame(
        [
            {
                "status": found.status,
                "first": found.first,
                "challenger": found.challenger,
                "votes": found.votes,
                "share": found.share,
                "added": found.added,
                "voters": ", ".join(map(str, found.voters)),
            }
        ]
    )
    what = "votes" if by is None else f"votes by {by}"
    return Report(table, f"{what} without which, or added votes with which, the first changes")


def _reliability(battles: Battles, options: Mapping[str, Any]) -> Report:
    found = reliability(battles, confidence=options["confidence"])
    predicted = held_out(battles, confidence=options["confidence"])
    numbers = {name: value for name, value in vars(found).items() if isinstance(value, Estimate)}
    numbers |= {"held_out_accuracy": predicted.accuracy, "held_out_log_loss": predicted.log_loss}
    table = pd.DataFrame.from_dict(numbers, orient="index", columns=Estimate._fields)
    table = table.rename_axis("measure").reset_index()
    caption = (
        f"{found.confidence:.0%} intervals by {found.cluster or 'vote'}; the same battle is the "
        f"same {found.unit}; repeats by {found.retest_source}"
    )
    return Report(table, caption)


def _goodness(battles: Battles, options: Mapping[str, Any]) -> Report:
    found = goodness_of_fit(battles, side=options["side"])
    if not len(found.pairs):
        return Report(found.pairs, "nobody can be rated from the votes for a side alone")
    caption = (
        f"deviance {found.deviance:.1f} on {found.freedom} degrees of freedom, p {found.p:.3f} "
        f"from {found.rounds} resamples; dispersion {found.dispersion:.2f}; {found.circular} of "
        f"{found.triads} triads go round ({found.circular_expected:.1f} expected)"
    )
    return Report(found.pairs, caption)


def _time(battles: Battles, options: Mapping[str, Any]) -> Report:
    cluster = _one_column(options)
    found = over_time(
        battles,
        ties=options["ties"],
        both_bad=options["both_bad"],
        confidence=options["confidence"],
        cluster=cluster,
    )
    parts = {"rating": found.ratings, "lower": found.lower, "upper": found.upper}
    table = pd.DataFrame(
        {name: part.stack(future_stack=True) for name, part in parts.items()}
        | {"votes": found.votes.stack(future_stack=True)}
    )
    table.index = table.index.set_names(["period", "model"])
    table = table[table["rating"].notna()].reset_index()
    table["period"] = table["period"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    drift = f"{found.drift_sd:.2f} ({found.drift_lower:.2f} to {found.drift_upper:.2f})"
    caption = (
        f"drift {drift} points a root of a day; periods of {found.period}; "
        f"{found.confidence:.0%} bands by {found.cluster or 'vote'}"
    )
    return Report(table, caption)


REPORTS = {
    "pairs": Kind(_pairs, (), "which pair to show next, with its probability"),
    "plan": Kind(_plan, _BY, "how many more votes until neighbours are told apart"),
    "voters": Kind(_voters, (*_BY, DECIDED, DRAWN, *CLIPS, *TIMES), "who votes strangely"),
    "first": Kind(_first, _BY, "what would change the first place"),
    "reliability": Kind(
        _reliability,
        (*_BY, *CLIPS, "prompt_id", "battle_id", "first"),
        "do voters repeat themselves, agree, favour a side",
    ),
    "fit": Kind(_goodness, _BY, "does Bradley-Terry fit, pair by pair"),
    "time": Kind(_time, (*_BY, *TIMES), "ratings over time"),
}
