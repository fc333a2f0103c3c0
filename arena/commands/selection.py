"""The track and the entrant that a command is limited to."""

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from arena.models import Entrant, Track


class Selection(TypedDict):
    """A track and an entrant, as arguments; None: all of them."""

    track: "Track | None"
    entrant: "Entrant | None"


def select(session: "Session", track: str | None, entrant: str | None) -> Selection:
    """Find the track and the entrant of these names.

    Raises:
        NotFound: no such track or entrant.
    """
    from arena.catalog.entrants import find_entrant
    from arena.catalog.tracks import find_track

    return {
        "track": find_track(session, track) if track else None,
        "entrant": find_entrant(session, entrant) if entrant else None,
    }
