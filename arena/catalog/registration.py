"""Registers a track: publishes its prompts and rules before its first vote, and notes changes.

What is published is one canonical JSON document. Its hash is in the next seal, so nobody can
replace it later. The prompts that are private are in it by a hash with a nonce that stays secret
until the track is closed, since a short text could be guessed from a plain hash.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from arena.canonical import canonical_json, instant_text, sha256_hex
from arena.errors import CatalogError
from arena.models import (
    PROMPT_REWRITING,
    Battle,
    Deviation,
    HoldRule,
    Prompt,
    PromptTrack,
    Registration,
    Track,
    Vote,
    Voter,
    VoterKind,
)

VERSION = 1
NONCE_BYTES = 16
SETTINGS = (
    *("modality", "audio", "width", "height", "fps", "frames", "video_kbps", "bytes", "seeds"),
    *("min_watch_ms", "reveal", "reasons", "prompt_rewriting"),
)
# Settings that earlier versions did not register, with the value that all tracks had then.
ADDED_LATER = {"prompt_rewriting": PROMPT_REWRITING[0]}
BOTH_BAD = "a vote `both_bad` counts as a tie"
DEFAULT_STOPPING = "None: the track is open until its operator closes it."
DEFAULT_EXCLUSION = (
    "Skips, deliberate repeats, honey pairs (a clip beside its own damaged copy) and votes that a "
    "rule below holds are not rated. Nothing else is left out, and nothing is deleted."
)
PROMPT = "prompt "  # begins the name of a deviation of one prompt


@dataclass(frozen=True)
class PublishedRegistration:
    """A registration as pages, the API and releases show it.

    Attributes:
        track: its name.
        sha256: of the canonical JSON of `document`.
        registered_at: when.
        document: what was registered.
        deviations: later changes: `what`, `registered`, `found` and `noted_at`.
        nonces: of the hashes of private prompts, by the prompt's id; none while the track is open.
    """

    track: str
    sha256: str
    registered_at: str
    document: dict[str, Any]
    deviations: list[dict[str, Any]]
    nonces: dict[str, str]

    @property
    def changed(self) -> list[dict[str, Any]]:
        """The deviations that hold now: the last of each kind, without those that were undone."""
        last = {each["what"]: each for each in self.deviations}
        return [each for each in last.values() if each["registered"] != each["found"]]


def register_track(
    session: Session,
    track: Track,
    *,
    stopping: str = DEFAULT_STOPPING,
    exclusion: str = DEFAULT_EXCLUSION,
    now: datetime,
) -> Registration:
    """Publish prompts and rules of a track on which nobody has voted yet.

    Votes of simulated voters do not matter: they never count with those of people.

    Args:
        session: in a transaction that writes.
        track: open, and without votes by people.
        stopping: when the track will be closed, in words.
        exclusion: which votes are left out, in words; the rules that hold votes are listed too.
        now: aware.

    Raises:
        CatalogError: the track has votes by people, no prompts, is closed or is registered already.
    """
    session.scalar(select(Track.id).where(Track.id == track.id).with_for_update())
    if session.get(Registration, track.id) is not None:
        raise CatalogError(f"The track {track.name} is registered already, for good.")
    if track.closed_at is not None:
        raise CatalogError(f"The track {track.name} is closed: register a new one.")
    if _has_votes(session, track):
        raise CatalogError(
            f"The track {track.name} has votes by people (skips and honey pairs included), and a "
            "track is registered before the first one: add a new track, and register that."
        )
    prompts = _active_prompts(session, track)
    if not prompts:
        raise CatalogError(
            f"The track {track.name} has no prompts to register: import them with `arena prompts "
            "import FILE` first."
        )
    nonces = {each.id: secrets.token_hex(NONCE_BYTES) for each in prompts if each.private}
    document = canonical_json(
        {
            "version": VERSION,
            "registered_at": instant_text(now),
            "stopping_rule": stopping,
            "exclusion_rule": exclusion,
            **_state(track, prompts, nonces),
        }
    )
    registration = Registration(
        track_id=track.id,
        document=document,
        sha256=sha256_hex(document),
        nonces=nonces,
        registered_at=now,
    )
    session.add(registration)
    session.flush()
    return registration


def _has_votes(session: Session, track: Track) -> bool:
    votes = (
        select(Vote.id)
        .join(Battle, Battle.id == Vote.battle_id)
        .join(Voter, Voter.id == Vote.voter_id)
        .where(Battle.track_id == track.id, Voter.kind == VoterKind.PERSON)
    )
    return session.scalar(votes.limit(1)) is not None


def _active_prompts(session: Session, track: Track) -> list[Prompt]:
    query = (
        select(Prompt)
        .join(PromptTrack, PromptTrack.prompt_id == Prompt.id)
        .where(PromptTrack.track_id == track.id, Prompt.retired_at.is_(None))
        .order_by(Prompt.id)
    )
    return list(session.scalars(query))


def _state(track: Track, prompts: list[Prompt], nonces: Mapping[str, str]) -> dict[str, Any]:
    """What is registered, and compared later, as the database has it now."""
    return {
        "track": track.name,
        "settings": {name: getattr(track, name) for name in SETTINGS},
        "sampler": track.sampler,
        "ties": track.ties,
        "both_bad": BOTH_BAD,
        "holds": sorted(rule.value for rule in HoldRule),
        "prompts": [_prompt_state(prompt, nonces.get(prompt.id)) for prompt in prompts],
    }


def _prompt_state(prompt: Prompt, nonce: str | None) -> dict[str, Any]:
    content = {
        "categories": prompt.categories,
        "id": prompt.id,
        "source_sha256": prompt.source_sha256,
        "text": prompt.text,
    }
    if prompt.private:
        # A private prompt that was not registered is shown without a hash: it has no nonce.
        hashed = None if nonce is None else private_hash(content, nonce)
        content |= {"source_sha256": None, "text": None}
    else:
        hashed = sha256_hex(canonical_json(content))
    return content | {"held_out": prompt.is_held_out, "private": prompt.private, "sha256": hashed}


def private_hash(content: Mapping[str, Any], nonce: str) -> str:
    """Return the registered hash of a private prompt.

    Args:
        content: its `categories`, `id`, `source_sha256` (of its source's file; None without one)
            and `text`.
        nonce: published once the track is closed.
    """
    names = ("categories", "id", "source_sha256", "text")
    return sha256_hex(canonical_json({name: content[name] for name in names} | {"nonce": nonce}))


# --- changes --------------------------------------------------------------------------------------


def note_deviations(session: Session, *, now: datetime) -> int:
    """Store every change of what registered tracks published, and return how many are new.

    Args:
        session: in a transaction that writes.
        now: aware.
    """
    new = [
        Deviation(track_id=number, noted_at=now, **change)
        for number, changes in _changes(session).items()
        for change in changes
    ]
    session.add_all(new)
    session.flush()
    return len(new)


def has_deviations(session: Session) -> bool:
    """Whether anything has changed that is not stored as a deviation yet."""
    return any(_changes(session).values())


def _changes(session: Session) -> dict[int, list[dict[str, Any]]]:
    """What differs from the last known state, by the track's number."""
    changes = {}
    for registration in session.scalars(select(Registration).order_by(Registration.track_id)):
        registered = _parts(json.loads(registration.document))
        known = dict(registered)
        for row in _stored(session, registration.track_id):
            known[row.what] = row.found
        track = registration.track
        state = _state(track, _active_prompts(session, track), registration.nonces)
        found = _parts(json.loads(canonical_json(state)))
        changes[registration.track_id] = [
            {"what": what, "registered": registered.get(what), "found": found.get(what)}
            for what in sorted(known.keys() | found.keys())
            if known.get(what) != found.get(what)
        ]
    return changes


def _parts(document: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a registration that can change, by name."""
    parts = {name: document[name] for name in ("sampler", "ties", "both_bad", "holds")}
    settings = ADDED_LATER | document["settings"]
    parts |= {f"settings.{name}": value for name, value in settings.items()}
    return parts | {f"{PROMPT}{each['id']}": each for each in document["prompts"]}


def _stored(session: Session, track_id: int) -> list[Deviation]:
    query = select(Deviation).where(Deviation.track_id == track_id).order_by(Deviation.id)
    return list(session.scalars(query))


# --- reading --------------------------------------------------------------------------------------


def find_registration(session: Session, track: Track) -> PublishedRegistration | None:
    """Return what a track registered, and what changed since; None: it is not registered."""
    registration = session.get(Registration, track.id)
    if registration is None:
        return None
    return PublishedRegistration(
        track=track.name,
        sha256=registration.sha256,
        registered_at=instant_text(registration.registered_at),
        document=json.loads(registration.document),
        deviations=[
            {
                "what": row.what,
                "registered": row.registered,
                "found": row.found,
                "noted_at": instant_text(row.noted_at),
            }
            for row in _stored(session, track.id)
        ],
        nonces=_published_nonces(session, track, registration.nonces),
    )


def _published_nonces(session: Session, track: Track, nonces: Mapping[str, str]) -> dict[str, str]:
    """The nonces of private prompts, once neither this track nor another one shows them.

    With a nonce, a text can be checked, and one that is easy to guess be guessed.
    """
    if track.closed_at is None or not nonces:
        return {}
    in_use = set(
        session.scalars(
            select(PromptTrack.prompt_id)
            .join(Track, Track.id == PromptTrack.track_id)
            .where(Track.closed_at.is_(None), PromptTrack.prompt_id.in_(list(nonces)))
        )
    )
    return {prompt: nonce for prompt, nonce in sorted(nonces.items()) if prompt not in in_use}


def describe_deviation(deviation: Mapping[str, Any]) -> str:
    """Return a deviation as a phrase, such as "prompt p-5 was added"."""
    what, registered, found = (deviation[key] for key in ("what", "registered", "found"))
    if registered == found:
        return f"{what} is as registered again"
    if registered is None:
        return f"{what} was added"
    if found is None:
        return f"{what} was removed"
    if isinstance(found, dict):
        return f"{what} was changed"
    return f"{what} was {_shown(registered)} and became {_shown(found)}"


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
