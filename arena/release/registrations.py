"""The registrations of a release's tracks: written from the database, and checked from a release.

The seal that covers a registration is older than the track's first vote, or has none of its votes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.orm import Session

from arena.audit.chain import Chain
from arena.canonical import canonical_json, sha256_hex
from arena.catalog.registration import find_registration
from arena.errors import ReleaseError
from arena.models import Track, VoterKind
from arena.release.schema import ANSWERS
from arena.release.tables import clean_text

REGISTRATIONS = "registrations.json"

Row = dict[str, Any]


class ReleasedDeviation(BaseModel):
    """A later change of what a track registered."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    what: str
    registered: Any
    found: Any
    noted_at: str


class ReleasedRegistration(BaseModel):
    """One registration of `registrations.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    track: str
    sha256: str
    registered_at: str
    document: dict[str, Any]
    deviations: list[ReleasedDeviation]
    # Of private prompts' hashes, by the prompt's id. Releases of earlier versions do not have it.
    nonces: dict[str, str] = Field(default_factory=dict)


class RegistrationsDocument(BaseModel):
    """`registrations.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    registrations: list[ReleasedRegistration]


def registrations_document(session: Session, tracks: Sequence[Track]) -> dict[str, Any]:
    """Return `registrations.json` for a release of these tracks."""
    found = (find_registration(session, track) for track in tracks)
    return {"registrations": [vars(each) for each in found if each is not None]}


def check_registrations(text: str, chain: Chain, tables: Mapping[str, Sequence[Row]]) -> int:
    """Check registrations against seals, votes and tables; return how many there are.

    Raises:
        ReleaseError: names the track and what is wrong.
    """
    try:
        registrations = RegistrationsDocument.model_validate_json(text).registrations
    except ValidationError as error:
        raise ReleaseError(f"{REGISTRATIONS} is not a list of registrations.") from error
    sealed = {each.track: each for seal in chain.seals for each in seal.registrations}
    tracks = {row["track"]: row for row in tables["tracks"]}
    by_track = {each.track: each for each in registrations}
    for name in sealed:
        if name in tracks and name not in by_track:
            raise ReleaseError(f"{REGISTRATIONS} lacks {name}, whose registration is sealed.")
    first = _first_votes(tables)
    for each in registrations:
        where = f"{REGISTRATIONS}, {each.track}"
        if each.track not in tracks:
            raise ReleaseError(f"{where}: tracks.* has no such track.")
        if sha256_hex(canonical_json(each.document)) != each.sha256:
            raise ReleaseError(f"{where}: the document does not have the hash that it states.")
        covered = sealed.get(each.track)
        if covered is None or (covered.sha256, covered.registered_at) != (
            each.sha256,
            each.registered_at,
        ):
            raise ReleaseError(f"{where}: it is not the registration that a seal covers.")
        if each.track in first and first[each.track] < each.registered_at:
            raise ReleaseError(f"{where}: the track has votes from before it was registered.")
        _check_nonces(each, where)
        _check_settings(each, tracks[each.track], where)
        _check_prompts(each, tables["prompts"], where)
    return len(registrations)


def _check_nonces(each: ReleasedRegistration, where: str) -> None:
    """Check that nonces are of private prompts, whose texts the release does not contain."""
    private = {prompt["id"] for prompt in each.document["prompts"] if prompt["private"]}
    for prompt in each.nonces:
        if prompt not in private:
            raise ReleaseError(f"{where}: it has a nonce of {prompt}, which is not private.")


def _first_votes(tables: Mapping[str, Sequence[Row]]) -> dict[str, str]:
    """The time of each track's first answer by a person."""
    first: dict[str, str] = {}
    for name in ANSWERS:
        for row in tables[name]:
            if row["voter_kind"] != VoterKind.PERSON:
                continue
            known = first.get(row["track"])
            if known is None or row["timestamp"] < known:
                first[row["track"]] = row["timestamp"]
    return first


def _check_settings(each: ReleasedRegistration, row: Row, where: str) -> None:
    """Check that the track's settings are the registered ones, or that a deviation says which."""
    stated = {f"settings.{name}": value for name, value in each.document["settings"].items()}
    stated |= {name: each.document[name] for name in ("sampler", "ties")}
    stated |= {deviation.what: deviation.found for deviation in each.deviations}
    for what, value in stated.items():
        name = what.removeprefix("settings.")
        if name in row and row[name] != value:
            raise ReleaseError(
                f"{where}: {name} is {row[name]!r} in tracks.*, and neither the registration nor a "
                "deviation says so."
            )


def _check_prompts(each: ReleasedRegistration, prompts: Sequence[Row], where: str) -> None:
    """Check that the prompts of a release are the registered ones, or named in a deviation."""
    registered = {prompt["id"]: prompt for prompt in each.document["prompts"]}
    changed = {deviation.what for deviation in each.deviations}
    for row in prompts:
        if each.track not in (row["tracks"] or "").split(";"):
            continue
        if f"prompt {row['id']}" in changed:
            continue
        known = registered.get(row["id"])
        if known is None:
            if row["retired_at"] is None or row["retired_at"] > each.registered_at:
                raise ReleaseError(
                    f"{where}: prompt {row['id']} was added, and no deviation says so."
                )
            continue
        text = None if known["text"] is None else clean_text(known["text"])
        if row["text"] != text:
            raise ReleaseError(f"{where}: prompt {row['id']} has another text in prompts.*.")
