"""Entrants and tracks as the generator knows them."""

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
    """The specifications of the built-in model's entrants."""
    folder = files("generator.foal") / "entrants"
    return sorted(Path(str(file)) for file in folder.iterdir() if file.name.endswith(".toml"))


def read_entrant_file(path: Path) -> EntrantEntry:
    """An entrant's specification, its paths made absolute.

    Raises:
        CatalogError: the file cannot be used: which key, and what to do.
    """
    try:
        spec = read_entrant(path)
    except GeneratorError as error:
        raise CatalogError(str(error)) from error
    return EntrantEntry(slug=spec.slug, **spec.model_dump())


def check_entrant(entry: EntrantEntry, tracks: list[Track]) -> None:
    """Whether the entrant's backend can serve the tracks it names, before anything runs.

    Raises:
        CatalogError: what it cannot do, in one sentence.
    """
    spec = EntrantSpec.model_validate(entry.model_dump(exclude={"slug"}))
    try:
        for track in tracks:
            if track.name in spec.tracks:
                check(spec, track_settings(track))
    except GeneratorError as error:
        raise CatalogError(str(error)) from error


def track_settings(track: Track) -> TrackSettings:
    """What the generator has to know of a track."""
    return TrackSettings.model_validate(track, from_attributes=True)


def entrant_spec(entrant: Entrant) -> EntrantSpec:
    """An entrant's row as the specification that it came of."""
    return EntrantSpec(
        name=entrant.name,
        creator=entrant.creator,
        release_date=entrant.release_date,
        licence=entrant.licence,
        tracks=tuple(track.name for track in entrant.tracks),
        codename=entrant.codename,
        price_usd_per_minute=entrant.price_usd_per_minute,
        backend=entrant.backend,
    )
