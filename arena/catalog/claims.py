"""Claims: the maker of a codename publishes its opening, and the history bears the model's name.

Written in one transaction, so a claim that is killed leaves the codename unclaimed or claimed.
"""

import hmac
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from arena.catalog.openings import Opening
from arena.errors import CatalogError, NotFound
from arena.models import Entrant, PublishedOpening
from arena.text import name_forms

REFUSED = (
    "The opening does not match the commitment of {codename}: it is another codename's, or it was "
    "changed; use the file that `arena entrants add` wrote."
)


class Claimed(NamedTuple):
    """A claimed entrant, and whether it was claimed just now."""

    entrant: Entrant
    is_new: bool


def claim(session: Session, codename: str, opening: Opening, *, now: datetime) -> Claimed:
    """Check an opening against a codename's commitment, and publish it.

    Args:
        session: in a transaction that writes.
        codename: of the entrant; retired or not.
        opening: as its maker holds it.
        now: aware.

    Raises:
        NotFound: no such codename.
        CatalogError: the opening does not match, or the codename has no commitment.
    """
    entrant = session.scalar(
        select(Entrant).where(Entrant.codename.in_(name_forms(codename))).with_for_update()
    )
    if entrant is None:
        raise NotFound(f"No entrant runs under the codename '{codename}'.")
    if entrant.commitment is None:
        raise CatalogError(
            f"{entrant.codename} entered without a commitment, so that no claim can be checked: "
            "add its file again with `arena entrants add` to commit to it first."
        )
    if not hmac.compare_digest(opening.commitment, entrant.commitment):
        raise CatalogError(REFUSED.format(codename=entrant.codename))
    if (opening.name, opening.creator) != (entrant.name, entrant.creator):
        raise CatalogError(
            f"The stored name or creator of {entrant.codename} differs from the opening that its "
            "commitment was made of: restore the database from a backup."
        )
    if entrant.claimed_at is not None:
        return Claimed(entrant, is_new=False)
    session.add(
        PublishedOpening(entrant_id=entrant.id, document=opening.document, published_at=now)
    )
    entrant.claimed_at = now
    session.flush()
    return Claimed(entrant, is_new=True)


def published_openings(session: Session) -> list[PublishedOpening]:
    """Return the openings of all claimed entrants, in the order of entrants."""
    return list(session.scalars(select(PublishedOpening).order_by(PublishedOpening.entrant_id)))
