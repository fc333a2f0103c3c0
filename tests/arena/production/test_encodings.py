"""Files of a track that were encoded by different rules are reported."""

from pathlib import Path

from sqlalchemy import select

from arena.catalog.entrants import add_entrant
from arena.models import Clip
from arena.production import find_pending, other_encodings
from generator.media.encode import ENCODING
from small_arena import START, TRACK, entrant_entry, fill_small_arena, new_database


def test_new_clips_beside_those_of_an_earlier_version_are_reported(tmp_path: Path) -> None:
    database = new_database(tmp_path)
    fill_small_arena(database)
    with database.writing() as session:
        add_entrant(session, entrant_entry("Dogwood", tracks=(TRACK,)), now=START)
        pending = find_pending(session, seed_key="key")
        clips = list(session.scalars(select(Clip)))
        for clip in clips:
            clip.provenance = {"encoding": ENCODING}
        session.flush()
        assert other_encodings(session, pending) == []
        clips[0].provenance = {"backend": "folder"}
        session.flush()
        assert other_encodings(session, []) == []
        (sentence,) = other_encodings(session, pending)
    assert sentence.startswith(f"The track {TRACK} has 1 clip of an earlier version's encoding")
    assert f"--masters-of {TRACK}" in sentence
