"""Whose votes a leaderboard counts. Imports nothing, so that the command line loads no database."""

import enum

OVERALL = "overall"  # the category of a leaderboard over all prompts


class VoterGroup(enum.StrEnum):
    """Whose votes a leaderboard counts: the name in addresses, in releases, on the command line."""

    PEOPLE = "people"
    SIMULATED = "simulated"

    @property
    def kind(self) -> "VoterKind":
        """The kind of voter that this group consists of."""
        return VoterKind.PERSON if self is VoterGroup.PEOPLE else VoterKind.SIMULATED


class VoterKind(enum.StrEnum):
    """What a voter is: the value in `voter.kind`, `snapshot.voters` and `votes.voter_kind`."""

    PERSON = "person"
    SIMULATED = "simulated"

    @property
    def group(self) -> VoterGroup:
        """The group that voters of this kind form."""
        return VoterGroup.PEOPLE if self is VoterKind.PERSON else VoterGroup.SIMULATED
