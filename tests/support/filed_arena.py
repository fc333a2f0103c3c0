"""An arena of many clips in a second: the files have the track's size and nothing to play."""

import hashlib
import os
import time
from pathlib import Path

from sqlalchemy import select, update

from arena.context import Arena, make_arena
from arena.models import Clip, Track
from many_votes import PATIENCE_S, add_catalog
from playable import settings_for

DEMO_BYTES = 368_640  # of a clip of the demo's silent tracks


def make_filed_arena(
    home: Path,
    *,
    models: int = 12,
    prompts: int = 20,
    clip_bytes: int = DEMO_BYTES,
    **settings: str,
) -> Arena:
    """Create an arena with one track, and a file of random bytes for every model and prompt.

    Args:
        home: of the arena.
        models, prompts: how many.
        clip_bytes: the size of every file.
        settings: of the arena, such as `database_url`.
    """
    arena = make_arena(settings_for(home, **settings), None)
    add_catalog(arena.database, models=models, prompts=prompts)
    folder = home / "media" / "renditions"
    folder.mkdir(parents=True, exist_ok=True)
    with arena.database.writing(until=time.monotonic() + PATIENCE_S) as session:
        session.execute(update(Track).values(bytes=clip_bytes))
        for number in session.scalars(select(Clip.id)).all():
            content = os.urandom(clip_bytes)
            (folder / f"{number}.mp4").write_bytes(content)
            values = {
                "rendition_path": f"renditions/{number}.mp4",
                "sha256": hashlib.sha256(content).hexdigest(),
            }
            session.execute(update(Clip).where(Clip.id == number).values(values))
    return arena
