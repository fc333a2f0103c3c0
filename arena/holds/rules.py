"""The rules that hold votes: names, versions, and what is said of them in public."""

from dataclasses import dataclass

from arena.models import HoldRule


@dataclass(frozen=True)
class RuleText:
    """What is public of a rule.

    Attributes:
        version: changes with what the rule decides.
        reason: one sentence for the voter, beside a held vote.
        short: a few words, for tables.
    """

    version: int
    reason: str
    short: str


RULES: dict[HoldRule, RuleText] = {
    HoldRule.PICTURE_ONLY: RuleText(
        1,
        "The vote was cast without hearing both clips, in a track with sound.",
        "cast without hearing both sides",
    ),
    HoldRule.HONEY_PAIR: RuleText(
        1,
        "This pair was a check: one clip was a damaged copy of the other, so no rating counts it.",
        "a check with a damaged copy",
    ),
    HoldRule.AGREEMENT: RuleText(
        1,
        "Votes of this voter agree with those of other voters less than tastes explain.",
        "too little agreement with other voters",
    ),
    HoldRule.FAVOURITISM: RuleText(
        1,
        "Votes of this voter favour or disfavour one model more than tastes explain.",
        "for or against one model",
    ),
    HoldRule.CONCENTRATION: RuleText(
        1,
        "This voter answered battles of one model or pair far more often than they are shown.",
        "battles of one model or pair only",
    ),
    HoldRule.ONE_SIDED: RuleText(
        1,
        "Votes of this voter went to one side far more often than to the other.",
        "nearly always the same side",
    ),
    HoldRule.SPEED: RuleText(
        1,
        "This voter decides much faster than other voters do.",
        "decided too fast",
    ),
    HoldRule.REPETITION: RuleText(
        1,
        "This voter answered pairs that were shown twice too differently.",
        "other answers to the same pair",
    ),
    HoldRule.HONEY: RuleText(
        1,
        "This voter too often did not prefer a clip to its own damaged copy.",
        "did not reject damaged copies",
    ),
    HoldRule.COMPLETION: RuleText(
        1,
        "Battles with one of the models were finished far more often than others on that day, so "
        "the votes on it by voters with few votes are under review.",
        "under review with a model's day",
    ),
    HoldRule.BLOC: RuleText(
        2,
        "Voters with about as many votes as this one together favour or disfavour one of the "
        "models far more than others do, so their votes on it are under review, and all votes of "
        "those who never voted otherwise on it.",
        "under review with a group of voters",
    ),
    HoldRule.WITHDRAWN: RuleText(
        1,
        "The voter withdrew the vote at once, before any name was shown.",
        "withdrawn by the voter",
    ),
    HoldRule.OPERATOR: RuleText(
        1,
        "Somebody who runs the arena decided so.",
        "by decision",
    ),
}
# Rules that hold all votes of a voter in a track.
VOTER_RULES = (
    *(HoldRule.AGREEMENT, HoldRule.FAVOURITISM, HoldRule.CONCENTRATION, HoldRule.SPEED),
    *(HoldRule.REPETITION, HoldRule.HONEY, HoldRule.ONE_SIDED),
)
AUTOMATIC = "arena"  # the author of events that rules write


def rule_text(name: str) -> RuleText:
    """Return what is public of a rule; of one that this version does not know, its name."""
    try:
        return RULES[HoldRule(name)]
    except ValueError:
        return RuleText(0, f"The rule {name} holds the vote.", name)
