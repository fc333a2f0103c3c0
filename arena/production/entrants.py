"""Converts entrants and tracks between the database and the generator's specifications."""

from importlib.resources import files
from pathlib import Path

from arena.catalog.schemas import EntrantEntry
from arena.errors import CatalogError
from arena.models import Entrant, Track
from generator.engine import check
from generator.errors import GeneratorError
from generator.spec import Entrant as EntrantSpec
from generator.spec import TrackSettings, read_entrant


def built_in_entrants() -> list[Path]:
    """Return the specification files of the built-in model's entrants."""
    folder = files("generator.foal") / "entrants"
    return sorted(Path(str(file)) for file in folder.iterdir() if file.name.endswith(".toml"))


def read_entrant_file(path: Path) -> EntrantEntry:
    """Read an entrant's specification; its paths become absolute.

    Raises:
        CatalogError: the file is invalid; says which key, and what to do.
    """
    try:
        spec = read_entrant(path)
    except GeneratorError as error:
        raise CatalogError(str(error)) from error
    return EntrantEntry(slug=spec.slug, **spec.model_dump())


def check_entrant(entry: EntrantEntry, tracks: list[Track]) -> None:
    """Check that the entrant's backend supports its tracks, without running a model.

    Raises:
        CatalogError: says what is not supported.
    """
    spec = EntrantSpec.model_validate(entry.model_dump(exclude={"slug", "chosen_slug"}))
    try:
        for track in tracks:
            if track.name in spec.tracks:
                check(spec, track_settings(track))
    except GeneratorError as error:
        raise CatalogError(str(error)) from error


def track_settings(track: Track) -> TrackSettings:
    """Return a track's settings for the generator."""
    return TrackSettings.model_validate(track, from_attributes=True)


def entrant_spec(entrant: Entrant) -> EntrantSpec:
    """Return the specification from which an entrant's row was made."""
    return EntrantSpec(
        name=entrant.name,
        creator=entrant.creator,
        release_date=entrant.release_date,
        licence=entrant.licence,
        tracks=tuple(track.name for track in entrant.tracks),
        codename=entrant.codename if entrant.stealth else None,
        price_usd_per_minute=entrant.price_usd_per_minute,
        backend=entrant.backend,
    )
