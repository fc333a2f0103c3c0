"""What `arena audit voters` shows: flagged voters and groups, and what holding them changes."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from sqlalchemy.orm import Session

from arena.audit.blocs import find_blocs
from arena.audit.voter_rules import flag, voter_p_values
from arena.audit.voter_votes import effect_of, read_retests, read_votes
from arena.holds.rules import rule_text
from arena.models import Track
from arena.standings.rated_votes import WINNERS
from arena.standings.vote_arrays import VoteArrays
from arena.standings.vote_reader import VoteReader

Row = tuple[object, ...]


@dataclass(frozen=True)
class VoterReport:
    """Rows of tables, and sentences.

    Attributes:
        voters: track, number, votes, rule, reason, p, q, share of the left side, and
            honey pairs that failed.
        blocs: track, votes of each voter, voters, model, votes on it, votes that it won, that it
            would have won by the ratings of others, p.
        effects: what holding their votes changes.
    """

    voters: list[Row]
    blocs: list[Row]
    effects: list[str]


def report_voters(session: Session, tracks: Iterable[Track]) -> VoterReport:
    """Test all voters of tracks, whatever the ledger holds already.

    Args:
        session: only reads.
        tracks: whose votes by people are tested.
    """
    arrays = VoteArrays()
    VoteReader(arrays).read_all(session)
    reports = [_report(session, arrays, track) for track in tracks]
    return VoterReport(
        voters=[row for report in reports for row in report.voters],
        blocs=[row for report in reports for row in report.blocs],
        effects=[line for report in reports for line in report.effects],
    )


def _report(session: Session, arrays: VoteArrays, track: Track) -> VoterReport:
    frame = read_votes(session, arrays, track.id, None)
    if frame.empty:
        return VoterReport([], [], [])
    retests = read_retests(session, track.id, None)
    honey = retests["honey"]
    table = flag(voter_p_values(frame, **retests))
    flagged = table[table["rule"] != ""].sort_values(["q", "coin_p"])
    voters: list[Row] = [
        (
            *(track.name, number, int(row["votes"]), row["rule"], rule_text(row["rule"]).short),
            *(f"{row['p']:.2g}", f"{row['q']:.2g}", f"{row['left']:.0%}"),
            f"{honey.failed.get(number, 0)} of {honey.shown.get(number, 0)}",
        )
        for number, (_, row) in zip(flagged.index.tolist(), flagged.iterrows(), strict=True)
    ]
    names = {str(entrant.id): entrant.shown_name for entrant in track.entrants}
    of_voters = frame["voter"].isin(flagged.index).to_numpy(copy=True)
    rest = frame[~of_voters]
    models = sorted({*rest["model_a"], *rest["model_b"]})
    codes = {model: code for code, model in enumerate(models)}
    answers = {answer: code for code, answer in enumerate(WINNERS.values())}
    found, inside = find_blocs(
        rest["voter"].to_numpy(),
        rest["model_a"].map(codes).to_numpy(),
        rest["model_b"].map(codes).to_numpy(),
        rest["winner"].map(answers).to_numpy(),
        models=len(models),
    )
    held = of_voters.copy()
    held[np.flatnonzero(~of_voters)[inside]] = True
    blocs: list[Row] = [
        (
            *(track.name, f"{bloc.fewest} to {bloc.most}", bloc.voters),
            *(names.get(models[bloc.model], models[bloc.model]), bloc.votes, bloc.won),
            *(f"{bloc.expected:.0f}", f"{bloc.p:.2g}"),
        )
        for bloc in found
    ]
    effects = [f"{track.name}: {line}" for line in effect_of(frame, held, names)]
    return VoterReport(voters, blocs, effects)
