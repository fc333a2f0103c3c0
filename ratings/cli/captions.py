"""What a result rests on, in words: the lines below tables and reports."""

from collections.abc import Mapping
from typing import Any

from ratings.model.bradley_terry import BradleyTerry

_TIES = {
    "half": "half a win to each",
    "drop": "left out",
    "davidson": "Davidson's model",
    "rao-kupper": "Rao and Kupper's model",
}
_BOTH_BAD = {"tie": "as a tie", "drop": "left out", "own": "an outcome of its own"}
_TIE_PARAMETERS = {"davidson": "nu", "rao-kupper": "theta"}


def rules(ties: str, both_bad: str, tie_parameter: float | None = None) -> list[str]:
    """What a tie and "both bad" counted as."""
    said = f"ties {_TIES[ties]}"
    if tie_parameter is not None and tie_parameter == tie_parameter and ties in _TIE_PARAMETERS:
        said += f" ({_TIE_PARAMETERS[ties]} {tie_parameter:.3g})"
    return [said, f"both bad {_BOTH_BAD[both_bad]}"]


def prior(prior_sd: float | None) -> list[str]:
    """The prior, if there was one."""
    return [] if prior_sd is None else [f"normal prior of {prior_sd:g} points about the mean"]


def held(anchors: Mapping[str, float]) -> list[str]:
    """What the scale hangs on; of several anchors no rating of its own is held."""
    if not anchors:
        return []
    if len(anchors) == 1:
        return [f"{name} held at {value:g}" for name, value in anchors.items()]
    *others, last = anchors
    mean = sum(anchors.values()) / len(anchors)
    return [f"the mean of {', '.join(others)} and {last} held at {mean:g}"]


def of_fit(fit: BradleyTerry) -> list[str]:
    """The rules and the prior of a fit, and what acts beside its ratings."""
    said = rules(fit.ties, fit.both_bad, fit.tie_parameter) + prior(fit.prior_sd)
    effects = [*(["the side"] if fit.side else []), *fit.covariates]
    return said + ([f"{' and '.join(effects)} held equal"] if effects else [])


def independent(cluster: str | None, note: str | None) -> str:
    """What was taken as independent, and why not what was asked for."""
    return f"by {cluster or 'vote'}" + (f" ({note})" if note else "")


def effect(row: Mapping[str, Any]) -> str:
    """One effect with its interval."""
    return (
        f"{row['effect']} {row['estimate']:.1f} ({row['lower']:.1f} to {row['upper']:.1f}) points"
    )


def nobody(why: str | None) -> list[str]:
    """Why there are no ratings."""
    return [] if why is None else [f"nobody can be rated, because {why}"]


def percent(share: float) -> str:
    """Such as "95%" or "97.5%"."""
    return f"{100 * share:g}%"


def count(number: int, noun: str) -> str:
    """Such as "1 vote" or "1,200 votes"."""
    return f"{number:,} {noun}{'s' * (number != 1)}"
