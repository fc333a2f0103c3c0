"""The shipped API providers, as an operator chooses among them, and their entrants."""

import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from arena.catalog.schemas import EntrantEntry
from arena.errors import CatalogError
from arena.models import Track
from arena.production.entrants import track_settings
from generator.backends import find_backend
from generator.backends.api.provider import find_provider, shipped_entrants, shipped_providers
from generator.backends.api.settings import choose
from generator.errors import GeneratorError, SpecError
from generator.spec import Entrant, TrackSettings

API = "api"
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
    names = ("text-to-video", "text-to-video-audio", "image-to-video", "image-to-video-audio")
    return [TrackSettings.named(name).model_copy(update=EXAMPLE_SIZE) for name in names]
