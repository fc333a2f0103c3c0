"""What `python -m ratings --report NAME` computes: each a table and a line on what it rests on."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ratings.cli import describe
from ratings.diagnostics.fragility import votes_to_flip
from ratings.diagnostics.goodness import goodness_of_fit
from ratings.diagnostics.held_out import held_out
from ratings.diagnostics.reliability import reliability
from ratings.dynamic.over_time import over_time
from ratings.errors import OptionError
from ratings.inference.proportions import Estimate
from ratings.inference.uncertainty import intervals
from ratings.model.bradley_terry import BradleyTerry, bradley_terry, unrated_reason
from ratings.planning.planning import plan
from ratings.planning.sampling import pair_probabilities
from ratings.screening.anomalies import CLIPS, DECIDED, DRAWN, screen_voters
from ratings.votes.battles import Battles
from ratings.votes.cluster_columns import (
    AUTOMATIC,
    COLUMN_ALIASES,
    NO_VOTERS,
    PROMPT,
    VOTER,
    Cluster,
    choose_clusters,
)
from ratings.votes.periods import TIMES

VOTERS = (VOTER, COLUMN_ALIASES[VOTER])
_PROMPTS = (PROMPT, COLUMN_ALIASES[PROMPT])
_RULES = ("ties", "both_bad")


class Report(NamedTuple):
    """A table with one line below it.

    Attributes:
        table: what programs read.
        caption: what it rests on.
        shown: the tables that people read instead; none: the same.
    """

    table: pd.DataFrame
    caption: str
    shown: tuple[pd.DataFrame, ...] = ()


class Kind(NamedTuple):
    """A report that can be asked for.

    Attributes:
        make: from the votes and the options of the command line.
        columns: of the votes, that it reads where they are.
        options: of the command line, that change it.
        help: what it tells.
    """

    make: Callable[[Battles, Mapping[str, Any]], Report]
    columns: tuple[str, ...]
    options: tuple[str, ...]
    help: str


def _one_column(cluster: Cluster) -> str | None:
    """The column of `--cluster`, of which these reports take one."""
    if cluster is None or isinstance(cluster, str):
        return cluster
    if len(cluster) > 1:
        raise OptionError("this report takes one column to cluster by, not two")
    return cluster[0]


def _fit(battles: Battles, options: Mapping[str, Any]) -> BradleyTerry:
    return bradley_terry(
        battles,
        options["ties"],
        both_bad=options["both_bad"],
        side=options["side"],
        covariates=options["covariates"],
        prior_sd=options["prior_sd"],
    )


def _say(*parts: str | list[str]) -> str:
    return "; ".join(said for part in parts for said in ([part] if isinstance(part, str) else part))


def _pairs(battles: Battles, options: Mapping[str, Any]) -> Report:
    found = pair_probabilities(battles)
    chance = found.probability
    left, right = np.triu_indices(len(chance), 1)
    votes = battles.counts.sum(axis=0)
    table = pd.DataFrame(
        {
            "model": chance.index[left],
            "other": chance.index[right],
            "votes": (votes + votes.T)[left, right].astype(int),
            "probability": chance.to_numpy()[left, right],
        }
    )
    table = table.sort_values("probability", ascending=False, ignore_index=True)
    rule = f"{found.rule} rule; {describe.percent(found.explore)} of the draws are uniform"
    fitted = [] if found.fit is None else describe.describe_fit(found.fit)
    return Report(table, _say(rule, "votes are those so far", fitted))


def _plan(battles: Battles, options: Mapping[str, Any]) -> Report:
    fit = _fit(battles, options)
    spread = intervals(battles, fit, confidence=options["confidence"], cluster=options["cluster"])
    found = plan(battles, fit, spread, power=options["power"])
    by = describe.describe_clusters(spread.cluster, spread.cluster_note)
    caption = _say(
        f"power {found.power:g} at {describe.percent(found.confidence)} confidence, {by}",
        describe.describe_plan(battles, fit, found),
        describe.describe_fit(fit),
    )
    return Report(found.neighbours, caption)


def _voters(battles: Battles, options: Mapping[str, Any]) -> Report:
    fit = _fit(battles, options)
    by = _one_column(options["cluster"])
    if by is None:
        raise OptionError("this report is of voters: leave out --cluster none")
    found = screen_voters(battles, fit, by=by)
    if found.by is None:
        return Report(found.voters.reset_index(), _say(NO_VOTERS, describe.describe_fit(fit)))
    flagged = found.voters[found.voters["flagged"]].drop(columns="flagged").reset_index()
    number, rate = describe.pluralize(len(found.voters), "voter"), describe.percent(found.rate)
    caption = _say(
        f"{len(flagged):,} of {number} flagged, at most {rate} of them falsely",
        f"by {found.by}",
        describe.describe_tests(found),
        f"honest tastes differ by {found.taste_sd:.0f} points",
        describe.describe_fit(fit),
    )
    return Report(flagged, caption)


def _first(battles: Battles, options: Mapping[str, Any]) -> Report:
    fit = _fit(battles, options)
    cluster = options["cluster"]
    by = None if cluster == AUTOMATIC else _one_column(cluster)  # not of intervals: by vote
    found = votes_to_flip(battles, fit, by=by)
    row: dict[str, Any] = {
        "status": found.status,
        "first": found.first,
        "challenger": found.challenger,
        "votes": found.votes,
        "share": found.share,
        "added": found.added,
    }
    if found.by is not None:
        row["voters"] = len(found.voters) if found.status == "ok" else None
    table = pd.DataFrame([row])
    whole = {"names": ", ".join(map(str, found.voters))} if found.by is not None else {}
    caption = _say(describe.describe_fragility(battles, fit, found), describe.describe_fit(fit))
    return Report(table.assign(**whole), caption, (table,))


def _reliability(battles: Battles, options: Mapping[str, Any]) -> Report:
    voter = _one_column(options["cluster"])
    found = reliability(battles, voter=voter, confidence=options["confidence"])
    predicted = held_out(
        battles,
        ties=options["ties"],
        both_bad=options["both_bad"],
        voter=voter,
        confidence=options["confidence"],
    )
    nan = float("nan")
    numbers = {name: value for name, value in vars(found).items() if isinstance(value, Estimate)}
    numbers |= {
        "held_out_accuracy": predicted.accuracy,
        "held_out_expected": Estimate(predicted.expected, nan, nan, predicted.accuracy.votes),
        "held_out_log_loss": predicted.log_loss,
    }
    table = pd.DataFrame.from_dict(numbers, orient="index", columns=Estimate._fields)
    table = table.rename_axis("measure").reset_index()
    note = choose_clusters(battles.frame, battles.selected, voter).note
    deliberate = found.retest_source == "repeat_of"
    repeats = f"repeats {'on purpose' if deliberate else 'of the same battle by chance'}"
    if found.retest_note is not None:
        repeats = f"no retest, because {found.retest_note}"
    by = (
        describe.describe_clusters(found.cluster, None)
        if note in {None, NO_VOTERS}
        else "as of one answer"
    )
    caption = _say(
        f"{describe.percent(found.confidence)} intervals {by}" + (f" ({note})" if note else ""),
        f"the same battle is the same {found.unit}",
        repeats,
        "left_effect in Elo points",
        "held_out_expected is the accuracy that the predictions expect of themselves",
        "held out: " + ", ".join(describe.describe_rules(options["ties"], options["both_bad"])),
    )
    return Report(table, caption)


def _goodness(battles: Battles, options: Mapping[str, Any]) -> Report:
    found = goodness_of_fit(battles, side=options["side"], voter=_one_column(options["cluster"]))
    rested = [
        f"{describe.describe_clusters(found.cluster, found.cluster_note)}",
        "of votes for a side: ties and both bad left out",
        *(["the side held equal"] if found.side else []),
    ]
    if not len(found.pairs):
        fit = bradley_terry(battles, "drop", both_bad="drop")
        return Report(
            found.pairs, _say(describe.describe_unrated(unrated_reason(battles, fit)), rested)
        )
    return Report(found.pairs, _say(describe.describe_goodness(found), rested))


def _time(battles: Battles, options: Mapping[str, Any]) -> Report:
    found = over_time(
        battles,
        period=options["period"],
        ties=options["ties"],
        both_bad=options["both_bad"],
        anchors=options["anchors"],
        confidence=options["confidence"],
        cluster=_one_column(options["cluster"]),
    )
    parts = {"rating": found.ratings, "lower": found.lower, "upper": found.upper}
    table = pd.DataFrame(
        {name: part.stack(future_stack=True) for name, part in parts.items()}
        | {"votes": found.votes.stack(future_stack=True)}
    )
    table.index = table.index.set_names(["period", "model"])
    table = table[table["rating"].notna()].reset_index()
    table["period"] = table["period"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    changed = found.changed[found.changed["change"].notna()].rename_axis("model").reset_index()
    own = {name: f"change_{name}" for name in ("lower", "upper", "p", "q")}
    beside = table.merge(changed.rename(columns=own), on="model", how="left")
    by = describe.describe_clusters(found.cluster, found.cluster_note)
    fit = bradley_terry(battles, found.ties, both_bad=found.both_bad)
    caption = _say(
        describe.describe_unrated(unrated_reason(battles, fit)) or describe.describe_drift(found),
        f"{describe.percent(found.confidence)} bands {by}",
        describe.describe_rules(found.ties, found.both_bad, found.tie_parameter),
        describe.describe_anchors(found.anchors),
    )
    return Report(beside, caption, (changed, table))


_FITTED = (*_RULES, "side", "prior_sd")
REPORTS = {
    "pairs": Kind(_pairs, (), (), "which pair to show next, with its probability"),
    "plan": Kind(
        _plan,
        VOTERS,
        (*_FITTED, "covariate", "ci", "cluster", "power"),
        "how many more votes until neighbours are told apart",
    ),
    "voters": Kind(
        _voters,
        (*VOTERS, DECIDED, DRAWN, *CLIPS, *TIMES),
        (*_FITTED, "cluster"),
        "who votes strangely",
    ),
    "first": Kind(
        _first,
        (),
        (*_FITTED, "covariate", "cluster"),
        "what would change the first place, by vote unless --cluster names a column",
    ),
    "reliability": Kind(
        _reliability,
        (*VOTERS, *CLIPS, *_PROMPTS, "battle_id", "first"),
        (*_RULES, "ci", "cluster"),
        "do voters repeat themselves, agree, favour a side",
    ),
    "fit": Kind(_goodness, VOTERS, ("side", "cluster"), "does Bradley-Terry fit, pair by pair"),
    "time": Kind(
        _time,
        (*VOTERS, *TIMES),
        (*_RULES, "ci", "cluster", "anchor", "period"),
        "ratings over time",
    ),
}
