"""Writes a picture of a model's first clip as its maker delivered it, for the operator to look at.

A visible mark, such as a maker's name in a corner, tells voters who made a clip.
"""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from arena.errors import ArenaError
from arena.files import atomic_write
from arena.media import MediaStore
from arena.models import Clip, Entrant
from generator.errors import GeneratorError
from generator.media.previews import middle_frame
from generator.spec import slug

FOLDER = "pictures"  # in ARENA_HOME


@dataclass(frozen=True)
class FirstPicture:
    """A picture of a model's first clip.

    Attributes:
        clip_id: of the clip.
        path: of the PNG; None if it could not be written.
        problem: why it could not be, in one sentence.
    """

    clip_id: int
    path: Path | None
    problem: str | None = None


def write_first_picture(
    session: Session, store: MediaStore, home: Path, entrant: Entrant
) -> FirstPicture | None:
    """Write the middle frame of an entrant's first clip as a PNG in its own size.

    The clip is the master, as it was generated or delivered, also of one that cannot be shown. The
    file is named after the codename as long as it hides the name.

    Args:
        session: of the database.
        store: of masters.
        home: ARENA_HOME.
        entrant: whose clip.

    Returns:
        Where it is, or why it is not there; None: the entrant has no clip yet.
    """
    query = (
        select(Clip.id, Clip.master_path)
        .where(Clip.entrant_id == entrant.id, Clip.master_path.is_not(None))
        .order_by(Clip.id)
    )
    row = session.execute(query.limit(1)).first()
    if row is None:
        return None
    clip_id, master_path = row
    path = home / FOLDER / f"{slug(entrant.shown_slug)}.png"
    try:
        data = middle_frame(store.read(str(master_path)))
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with atomic_write(path) as draft:
            draft.write_bytes(data)
    except (ArenaError, GeneratorError) as error:
        return FirstPicture(clip_id, None, f"The picture of clip {clip_id} is not there: {error}")
    except OSError as error:
        return FirstPicture(clip_id, None, f"{path} cannot be written: {error.strerror}.")
    return FirstPicture(clip_id, path)
