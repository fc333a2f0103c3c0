"""The shipped API providers, as an operator chooses among them, and their entrants."""

import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from arena.catalog.schemas import EntrantEntry
from arena.errors import CatalogError
from arena.models import Track
from arena.production.entrants import check_entrant, read_entrant_file, track_settings
from generator.backends import find_backend
from generator.backends.api.provider import find_provider, shipped_entrants, shipped_providers
from generator.backends.api.settings import choose
from generator.errors import GeneratorError, SpecError
from generator.spec import Entrant, TrackSettings

API = "api"
ADVICE = "; remove "  # begins what to do about a track that is named in a file
EXAMPLE_SIZE = {"width": 1280, "height": 720, "fps": 24, "frames": 120}


@dataclass(frozen=True)
class Offer:
    """One model of a provider in one track.

    Attributes:
        provider: its name.
        model: as an entrant names it.
        track: the track's name.
        price_usd: list price of one clip of the track; None if it is not known.
        adapted: what is asked for other than the track says.
        key: the environment variables of the key, and whether they are set.
        read: when the provider's documents were read.
        ends: from when it can be ordered from no more.
        mark: how the visible mark is switched off.
        rewriting: whether prompts are rewritten: `none`, `switch`, `always` or `unknown`.
    """

    provider: str
    model: str
    track: str
    price_usd: float | None
    adapted: tuple[str, ...]
    key: str
    read: date
    ends: date | None
    mark: str
    rewriting: str


def list_offers(tracks: list[Track]) -> list[Offer]:
    """Return what the shipped providers can make for these tracks; without any, for 720p and 5 s.

    Sends nothing, and reads no key.
    """
    settings = [track_settings(track) for track in tracks] or _example_tracks()
    offers = []
    for name in shipped_providers():
        provider = find_provider(name).provider
        missing = [each for each in provider.variables if not os.environ.get(each, "").strip()]
        key = ", ".join(provider.variables) + (" not set" if missing else " set")
        for model in provider.models:
            for track in settings:
                order = provider.find_order(model, track.modality)
                if order is None:
                    continue
                try:
                    choice = choose(provider, order, model, track)
                except SpecError:
                    continue
                offers.append(
                    Offer(
                        provider=name,
                        model=model,
                        track=track.name,
                        price_usd=choice.price_usd,
                        adapted=choice.adapted,
                        key=key,
                        read=provider.read,
                        ends=order.ends or provider.ends,
                        mark=provider.mark,
                        rewriting=provider.rewriting_of(order),
                    )
                )
    return offers


def find_entrant_file(name: Path) -> Path:
    """Return the file of a shipped entrant, if there is no file of that name here.

    Raises:
        CatalogError: neither is there.
    """
    if name.exists() or name.suffix == ".toml" or len(name.parts) != 1:
        return name
    shipped = {path.stem: path for path in shipped_entrants()}
    if str(name) in shipped:
        return shipped[str(name)]
    for stem, path in shipped.items():
        if stem.replace(".", "-") == str(name):
            return path
    raise CatalogError(
        f"There is no file {name} and no shipped entrant of that name; use a TOML file or one of "
        f"{', '.join(shipped)}."
    )


def read_entry(
    name: Path, tracks: list[Track], *, only: list[str] | None = None
) -> tuple[EntrantEntry, list[str]]:
    """Read an entrant's file, or a shipped one, which enters the tracks that its model can serve.

    Args:
        name: the file, or the name of a shipped entrant.
        tracks: those of the arena.
        only: names of the tracks that a shipped entrant is limited to.

    Returns:
        The entrant, and why it does not enter other tracks, as sentences.

    Raises:
        CatalogError: the file does not exist, it is invalid, or the model can serve no track.
    """
    path = find_entrant_file(name)
    entry = read_entrant_file(path)
    if path not in shipped_entrants():
        if only:
            raise CatalogError(
                f"--track is for shipped entrants: {name} names its tracks itself; leave it out."
            )
        return entry, []
    by_name = {track.name: track for track in tracks if track.closed_at is None}
    if unknown := [each for each in only or () if each not in by_name]:
        raise CatalogError(
            f"No open track is named {unknown[0]}; the tracks are: {', '.join(by_name) or 'none'}."
        )
    served: list[str] = []
    reasons: dict[str, str] = {}
    for track in by_name.values():
        if only and track.name not in only:
            continue
        try:
            check_entrant(entry.model_copy(update={"tracks": (track.name,)}), [track])
            served.append(track.name)
        except CatalogError as error:
            reasons[track.name] = str(error).partition(ADVICE)[0].removesuffix(".") + "."
    if not served:
        why = next(iter(reasons.values()), "the arena has no track: run `arena init` first.")
        raise CatalogError(f"{entry.name} can serve none of the arena's tracks: {why}")
    return entry.model_copy(update={"tracks": tuple(served)}), [
        f"Not in {', '.join(each for each in reasons if reasons[each] == reason)}: {reason}"
        for reason in dict.fromkeys(reasons.values())
    ]


def trust_host(entry: EntrantEntry, host: str | None) -> EntrantEntry:
    """Return the entry with the host that its own provider file may send keys and prompts to.

    Raises:
        CatalogError: its provider file is a shipped one, or it has none.
    """
    if host is None:
        return entry
    if entry.backend.get("kind") != API or not str(entry.backend.get("provider")).endswith(".toml"):
        raise CatalogError(
            f"{entry.name} does not use a provider file of your own; leave --trust-host out."
        )
    return entry.model_copy(update={"backend": entry.backend | {"trusted_host": host}})


def describe_service(entry: EntrantEntry) -> list[str]:
    """Sentences about the service that a model will be ordered from: where, price, warnings."""
    if entry.backend.get("kind") != API:
        return []
    spec = Entrant.model_validate(entry.model_dump(exclude={"slug", "chosen_slug"}))
    try:
        return list(getattr(find_backend(spec), "notes", tuple)())
    except GeneratorError as error:
        raise CatalogError(str(error)) from error


def _example_tracks() -> list[TrackSettings]:
    names = ("text-to-video", "image-to-video", "video-edit")
    return [
        TrackSettings.named(name + sound).model_copy(update=EXAMPLE_SIZE)
        for name in names
        for sound in ("", "-audio")
    ]
