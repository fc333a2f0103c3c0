"""How many variants of one maker ran, and how many were retired before they were ranked.

Counted in the open, so that nobody keeps the best of many tries quietly, and counted so that no
number names a codename: a named model is counted with its maker's named models and with the
codenames that ran when the maker claimed one; a codename with its maker's other codenames.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from arena.models import OVERALL, Clip, Entrant, Snapshot, Standing, VoterKind

WEIGHTS = "weights_sha256"  # in fingerprints, and in the provenance of clips
RANKED = "ok"  # the status of a standing with enough votes


@dataclass(frozen=True)
class Variants:
    """The models of one maker, as far as they may be counted together.

    Attributes:
        ran: how many entered.
        retired_unranked: of these, how many were retired before people's votes ranked them.
    """

    ran: int
    retired_unranked: int


ALONE = Variants(ran=1, retired_unranked=0)


def count_variants(session: Session) -> dict[int, Variants]:
    """Return the variants of each entrant's maker, the entrant included, by entrant."""
    entrants = list(session.scalars(select(Entrant).order_by(Entrant.id)))
    ranked = set(
        session.scalars(
            select(Standing.entrant_id)
            .join(Snapshot, Snapshot.id == Standing.snapshot_id)
            .where(
                Snapshot.category == OVERALL,
                Snapshot.voters == VoterKind.PERSON,
                Standing.status == RANKED,
            )
            .distinct()
        )
    )
    by_maker: dict[str, list[Entrant]] = {}
    for entrant in entrants:
        by_maker.setdefault(entrant.creator.casefold(), []).append(entrant)
    counted: dict[int, Variants] = {}
    for group in by_maker.values():
        for entrant in group:
            together = _counted_with(entrant, group)
            unranked = [
                each for each in together if each.retired_at is not None and each.id not in ranked
            ]
            counted[entrant.id] = Variants(len(together), len(unranked))
    return counted


def variants_by_name(session: Session) -> dict[str, Variants]:
    """Return the variants of each entrant's maker, by the entrant's public name."""
    counted = count_variants(session)
    names = {entrant.id: entrant.shown_name for entrant in session.scalars(select(Entrant))}
    return {names[number]: variants for number, variants in counted.items()}


def with_variants(document: dict[str, Any], variants: Mapping[str, Variants]) -> dict[str, Any]:
    """Return a leaderboard's JSON with the variants of each row's maker."""
    rows = []
    for row in document["rows"]:
        counted = variants.get(row["model"], ALONE)
        counts = {
            "maker_variants": counted.ran,
            "maker_retired_unranked": counted.retired_unranked,
        }
        rows.append(row | counts)
    return document | {"rows": rows}


def _counted_with(entrant: Entrant, group: Sequence[Entrant]) -> list[Entrant]:
    """Those of a maker's entrants that are counted together with this one."""
    if entrant.stealth:
        return [each for each in group if each.stealth]
    claims = [each.claimed_at for each in group if each.claimed_at is not None]
    last_claim = max(claims, default=None)
    return [
        each
        for each in group
        if not each.stealth or (last_claim is not None and each.created_at <= last_claim)
    ]


def describe_variants(variants: Variants, *, is_codename: bool) -> str | None:
    """Return the counts as a phrase; None for a maker with a single model."""
    if variants.ran < 2:
        return None
    what = "codenames" if is_codename else "models"
    phrase = f"one of {variants.ran} {what} of its maker"
    if variants.retired_unranked:
        phrase += f", {variants.retired_unranked} retired before being ranked"
    return phrase


def same_fingerprint(session: Session, fingerprint: str, *, besides: int | None) -> list[Entrant]:
    """Return the other entrants that run the same weights, endpoint or clips.

    Args:
        session: of the database.
        fingerprint: as `Entrant.fingerprint` holds it.
        besides: number of the entrant that is left out.
    """
    kind, _, value = fingerprint.partition(":")
    same = Entrant.fingerprint == fingerprint
    if kind == WEIGHTS:  # entrants that an earlier version added have it with their clips only
        sha256 = Clip.provenance[WEIGHTS].as_string()
        same |= Entrant.id.in_(select(Clip.entrant_id).where(sha256 == value))
    query = select(Entrant).where(same).order_by(Entrant.id)
    return [each for each in session.scalars(query) if each.id != besides]
