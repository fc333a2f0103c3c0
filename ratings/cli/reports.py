"""The reports of `python -m ratings --report NAME`: each a table with a caption."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from ratings.cli import describe
from ratings.cli.options import Options
from ratings.cli.report_kinds import Report
from ratings.diagnostics.fragility import votes_to_flip
from ratings.diagnostics.goodness import goodness_of_fit
from ratings.diagnostics.held_out import held_out
from ratings.diagnostics.reliability import reliability
from ratings.dynamic.over_time import over_time
from ratings.errors import OptionError
from ratings.inference.anytime import first_place
from ratings.inference.proportions import Estimate
from ratings.inference.uncertainty import intervals
from ratings.model.bradley_terry import BradleyTerry, bradley_terry, unrated_reason
from ratings.planning.planning import plan
from ratings.planning.sampling import pair_probabilities
from ratings.printable import pluralize
from ratings.schema import AUTOMATIC
from ratings.screening.anomalies import screen_voters
from ratings.votes.battles import Battles
from ratings.votes.cluster_columns import NO_VOTERS, Cluster, choose_clusters


def _cluster_column(cluster: Cluster) -> str | None:
    """The column of `--cluster`, for reports that accept only one."""
    if cluster is None or isinstance(cluster, str):
        return cluster
    if len(cluster) > 1:
        raise OptionError("this report can be clustered by one column only")
    return cluster[0]


def _fit(battles: Battles, options: Options) -> BradleyTerry:
    return bradley_terry(
        battles,
        options.rating.ties,
        both_bad=options.rating.both_bad,
        side=options.rating.side,
        covariates=options.rating.covariates,
        prior_sd=options.rating.prior_sd,
    )


def _join(*parts: str | list[str]) -> str:
    lines = [[part] if isinstance(part, str) else part for part in parts]
    return "; ".join(line for part in lines for line in part)


def _pairs(battles: Battles, options: Options) -> Report:
    result = pair_probabilities(battles)
    chance = result.probability
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
    rule = f"{result.rule} rule; {describe.percent(result.explore)} of the draws are uniform"
    fitted = [] if result.fit is None else describe.model(result.fit)
    return Report(table, _join(rule, "votes so far", fitted))


def _plan(battles: Battles, options: Options) -> Report:
    fit = _fit(battles, options)
    around = intervals(
        battles, fit, confidence=options.rating.confidence, cluster=options.rating.cluster
    )
    result = plan(battles, fit, around, power=options.power)
    by = describe.clusters(around.cluster, around.cluster_note)
    caption = _join(
        f"power {result.power:g} at {describe.percent(result.confidence)} confidence, {by}",
        describe.votes_needed(battles, fit, result),
        describe.model(fit),
    )
    return Report(result.neighbours, caption)


def _voters(battles: Battles, options: Options) -> Report:
    fit = _fit(battles, options)
    by = _cluster_column(options.rating.cluster)
    if by is None:
        raise OptionError("this report is about voters: leave out --cluster none")
    result = screen_voters(battles, fit, by=by)
    if result.by is None:
        return Report(result.voters.reset_index(), _join(NO_VOTERS, describe.model(fit)))
    flagged = result.voters[result.voters["flagged"]].drop(columns="flagged").reset_index()
    number, rate = pluralize(len(result.voters), "voter"), describe.percent(result.rate)
    caption = _join(
        f"{len(flagged):,} of {number} flagged, at most {rate} of them expected by mistake",
        f"by {describe.column_words(result.by)}",
        describe.tests(result),
        f"tastes of honest voters differ by {result.taste_sd:.0f} points (standard deviation)",
        describe.model(fit),
    )
    return Report(flagged, caption)


def _first(battles: Battles, options: Options) -> Report:
    fit = _fit(battles, options)
    cluster = options.rating.cluster
    by = None if cluster == AUTOMATIC else _cluster_column(cluster)  # by vote unless requested
    result = votes_to_flip(battles, fit, by=by)
    row: dict[str, Any] = {
        "status": result.status,
        "first": result.first,
        "challenger": result.challenger,
        "votes": result.votes,
        "share": result.share,
        "added": result.added,
    }
    if result.by is not None:
        row["voters"] = len(result.voters) if result.status == "ok" else None
    table = pd.DataFrame([row])
    names = {"names": ", ".join(map(str, result.voters))} if result.by is not None else {}
    caption = _join(describe.fragility(battles, fit, result), describe.model(fit))
    return Report(table.assign(**names), caption, (table,))


def _known(battles: Battles, options: Options) -> Report:
    fit = _fit(battles, options)
    confidence = options.rating.confidence
    around = intervals(battles, fit, confidence=confidence, cluster=options.rating.cluster)
    result = first_place(battles, fit, around, confidence=confidence)
    names = ("status", "first", "challenger", "gap", "gap_lower", "e_value", "p", "models", "votes")
    row = {name: getattr(result, name) for name in names}
    by = describe.clusters(around.cluster, around.cluster_note)
    caption = _join(
        f"valid at any time with {describe.percent(confidence)} confidence, {by}",
        describe.first_place(battles, fit, result),
        describe.model(fit),
    )
    table = pd.DataFrame([row]).replace([np.inf, -np.inf], np.nan)
    return Report(table, caption)


def _reliability(battles: Battles, options: Options) -> Report:
    voter = _cluster_column(options.rating.cluster)
    result = reliability(battles, voter=voter, confidence=options.rating.confidence)
    predicted = held_out(
        battles,
        ties=options.rating.ties,
        both_bad=options.rating.both_bad,
        voter=voter,
        confidence=options.rating.confidence,
    )
    nan = float("nan")
    numbers = {name: value for name, value in vars(result).items() if isinstance(value, Estimate)}
    numbers |= {
        "held_out_accuracy": predicted.accuracy,
        "held_out_expected": Estimate(predicted.expected, nan, nan, predicted.accuracy.votes),
        "held_out_log_loss": predicted.log_loss,
    }
    table = pd.DataFrame.from_dict(numbers, orient="index", columns=Estimate._fields)
    table = table.rename_axis("measure").reset_index()
    note = choose_clusters(battles.frame, battles.selected, voter).note
    deliberate = result.retest_source == "repeat_of"
    repeats = "deliberate repeats" if deliberate else "chance repeats of the same battle"
    if result.retest_note is not None:
        repeats = f"no retest: {result.retest_note}"
    by = (
        describe.clusters(result.cluster, None)
        if note in {None, NO_VOTERS}
        else "as if from a single voter"
    )
    caption = _join(
        f"{describe.percent(result.confidence)} intervals {by}" + (f" ({note})" if note else ""),
        f"battles are the same if they have the same {result.unit}",
        repeats,
        "left_effect in Elo points",
        "held_out_expected is the accuracy that the predictions imply",
        "held out: " + ", ".join(describe.rules(options.rating.ties, options.rating.both_bad)),
    )
    return Report(table, caption)


def _goodness(battles: Battles, options: Options) -> Report:
    result = goodness_of_fit(
        battles, side=options.rating.side, voter=_cluster_column(options.rating.cluster)
    )
    basis = [
        f"{describe.clusters(result.cluster, result.cluster_note)}",
        "votes for either side only: ties and both bad left out",
        *(["controlled for the side"] if result.side else []),
    ]
    if not len(result.pairs):
        fit = bradley_terry(battles, "drop", both_bad="drop")
        return Report(result.pairs, _join(describe.unrated(unrated_reason(battles, fit)), basis))
    return Report(result.pairs, _join(describe.goodness(result), basis))


def _time(battles: Battles, options: Options) -> Report:
    result = over_time(
        battles,
        period=options.period,
        ties=options.rating.ties,
        both_bad=options.rating.both_bad,
        anchors=options.rating.anchors,
        confidence=options.rating.confidence,
        cluster=_cluster_column(options.rating.cluster),
    )
    parts = {"rating": result.ratings, "lower": result.lower, "upper": result.upper}
    table = pd.DataFrame(
        {name: part.stack(future_stack=True) for name, part in parts.items()}
        | {"votes": result.votes.stack(future_stack=True)}
    )
    table.index = table.index.set_names(["period", "model"])
    table = table[table["rating"].notna()].reset_index()
    table["period"] = table["period"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    changed = result.changed[result.changed["change"].notna()].rename_axis("model").reset_index()
    renamed = changed.rename(
        columns={name: f"change_{name}" for name in ("lower", "upper", "p", "q")}
    )
    with_changes = table.merge(renamed, on="model", how="left")
    by = describe.clusters(result.cluster, result.cluster_note)
    fit = bradley_terry(battles, result.ties, both_bad=result.both_bad)
    caption = _join(
        describe.unrated(unrated_reason(battles, fit)) or describe.drift(result),
        f"{describe.percent(result.confidence)} bands {by}",
        describe.rules(result.ties, result.both_bad, result.tie_parameter),
        describe.anchors(result.anchors),
    )
    return Report(with_changes, caption, (changed, table))


_MAKERS: dict[str, Callable[[Battles, Options], Report]] = {
    "pairs": _pairs,
    "plan": _plan,
    "voters": _voters,
    "first": _first,
    "known": _known,
    "reliability": _reliability,
    "fit": _goodness,
    "time": _time,
}


def make_report(name: str, battles: Battles, options: Options) -> Report:
    """Compute the report of this name, a key of `report_kinds.REPORTS`."""
    return _MAKERS[name](battles, options)
