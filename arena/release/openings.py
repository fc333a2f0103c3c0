"""The openings of claimed models: written from the database, and checked from a release alone."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy.orm import Session

from arena.audit.chain import Chain
from arena.canonical import canonical_json, instant_text, sha256_hex
from arena.catalog.claims import published_openings
from arena.catalog.openings import parse_opening
from arena.errors import CatalogError, ReleaseError

OPENINGS = "openings.json"

Row = dict[str, Any]


class ReleasedOpening(BaseModel):
    """One opening of `openings.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    entrant: str
    model: str
    codename: str
    commitment: str
    published_at: str
    opening: dict[str, Any]


class OpeningsDocument(BaseModel):
    """`openings.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    openings: list[ReleasedOpening]


def openings_document(session: Session, models: Sequence[Row]) -> dict[str, Any]:
    """Return `openings.json` for a release with these rows of `models.*`."""
    released = {row["id"] for row in models}
    return {
        "openings": [
            {
                "entrant": str(opening.entrant_id),
                "model": opening.entrant.name,
                "codename": opening.entrant.codename,
                "commitment": opening.entrant.commitment,
                "published_at": instant_text(opening.published_at),
                "opening": parse_opening(opening.document, source="An opening").model_dump(
                    exclude_none=True
                ),
            }
            for opening in published_openings(session)
            if str(opening.entrant_id) in released
        ]
    }


def check_openings(text: str, models: Sequence[Row], chain: Chain) -> int:
    """Check claims and commitments against each other and the seals; return how many claims.

    Raises:
        ReleaseError: names the file and the model, or the row.
    """
    try:
        openings = OpeningsDocument.model_validate_json(text).openings
    except ValidationError as error:
        raise ReleaseError(f"{OPENINGS} is not a list of openings.") from error
    rows = {row["id"]: (number, row) for number, row in enumerate(models, start=1)}
    for opening in openings:
        _check_opening(opening, rows)
    by_entrant = {opening.entrant: opening for opening in openings}
    if len(by_entrant) != len(openings):
        raise ReleaseError(f"{OPENINGS} has two openings of one model.")
    for number, row in rows.values():
        name = f"models.*, row {number} ({row['model']})"
        if row["stealth"] != (row["codename"] is not None and row["claimed_at"] is None):
            raise ReleaseError(f"{name}: stealth does not match codename and claimed_at.")
        if row["commitment"] is not None and row["claimed_at"] and row["id"] not in by_entrant:
            raise ReleaseError(f"{name}: it is claimed, but {OPENINGS} has no opening of it.")
        if row["stealth"] and row["id"] in by_entrant:
            raise ReleaseError(f"{name}: it is not claimed, but {OPENINGS} has its opening.")
    _check_sealed(chain, rows, by_entrant)
    return len(openings)


def _check_opening(opening: ReleasedOpening, rows: Mapping[str, tuple[int, Row]]) -> None:
    name = f"{OPENINGS}, {opening.model}"
    if opening.entrant not in rows:
        raise ReleaseError(f"{name}: models.* has no such model.")
    number, row = rows[opening.entrant]
    try:
        content = parse_opening(canonical_json(opening.opening), source=name)
    except CatalogError as error:
        raise ReleaseError(str(error)) from error
    if content.commitment != opening.commitment:
        raise ReleaseError(f"{name}: the opening does not give the commitment.")
    stated = (opening.model, opening.codename, opening.commitment, opening.published_at)
    if stated != (row["model"], row["codename"], row["commitment"], row["claimed_at"]):
        raise ReleaseError(f"models.*, row {number} ({row['model']}): {OPENINGS} says otherwise.")
    if (content.name, content.creator) != (row["model"], row["creator"]):
        raise ReleaseError(
            f"models.*, row {number} ({row['model']}): the opening is of another name or creator."
        )


def _check_sealed(
    chain: Chain,
    rows: Mapping[str, tuple[int, Row]],
    openings: Mapping[str, ReleasedOpening],
) -> None:
    sealed: set[str] = set()
    for seal in chain.seals:
        for each in seal.commitments:
            sealed.add(each.entrant)
            if each.entrant not in rows:
                continue  # of another track
            number, row = rows[each.entrant]
            if row["commitment"] != each.commitment:
                raise ReleaseError(
                    f"models.*, row {number} ({row['model']}): commitment is not the one in seal "
                    f"{seal.number}."
                )
        for claim in seal.claims:
            if claim.entrant not in rows:
                continue
            opening = openings.get(claim.entrant)
            found = opening and sha256_hex(canonical_json(opening.opening))
            if opening is None or found != claim.opening_sha256:
                raise ReleaseError(f"{OPENINGS}: the opening in seal {seal.number} is not there.")
    for number, row in rows.values():
        if row["commitment"] is not None and row["id"] not in sealed:
            raise ReleaseError(
                f"models.*, row {number} ({row['model']}): no seal has its commitment."
            )
