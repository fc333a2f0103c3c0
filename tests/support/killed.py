"""An arena whose clips come from files, and runs of `arena generate` that are killed."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from arena.catalog.entrants import add_entrant
from arena.catalog.prompts import import_prompts
from arena.catalog.schemas import EntrantEntry, PromptEntry
from arena.catalog.tracks import add_track
from arena.context import Arena, make_arena
from arena.models import Clip, ClipStatus
from arena.shipped import Collection
from generator.media import encode_master
from playable import bar_clip, settings_for
from small_arena import START, track_entry

TRACK = "films-audio"


def make_arena_of_films(home: Path, *, entrants: int, prompts: int) -> Arena:
    """An arena with entrants of the folder backend that have a file for each prompt."""
    arena = make_arena(settings_for(home), Collection.STANDARD)
    films = home / "films"
    films.mkdir()
    shown = [encode_master(bar_clip(number)) for number in range(8)]
    names = [f"p{number}" for number in range(prompts)]
    for number, name in enumerate(names):
        (films / f"{name}.mp4").write_bytes(shown[number % len(shown)])
    with arena.database.writing() as session:
        add_track(session, track_entry(TRACK, modality="text-to-video"), now=START)
        asked = [PromptEntry(id=name, text=f"film {name}", tracks=(TRACK,)) for name in names]
        import_prompts(session, asked, now=START)
        for number in range(entrants):
            entry = EntrantEntry(
                slug=f"films-{number}",
                name=f"Films {number}",
                creator="Nobody",
                licence="MIT",
                tracks=(TRACK,),
                backend={"kind": "folder", "path": str(films)},
            )
            add_entrant(session, entry, now=START)
    return arena


def generate_and_kill(arena: Arena, *, kills: int, seed: int) -> Iterator[int]:
    """Run `arena generate`, killed `kills` times at random moments, then once to its end.

    Yields the number of finished clips after each run.
    """
    chance = random.Random(seed)
    for number in range(kills + 1):
        before = count_ready(arena)
        process = subprocess.Popen(
            [sys.executable, "-m", "arena", "generate", "--workers", "2"],
            env=os.environ | {"ARENA_HOME": str(arena.settings.home)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        if number < kills:
            # Shortly after its first clip, so that every run makes progress.
            while count_ready(arena) == before and process.poll() is None:
                time.sleep(0.05)
            time.sleep(chance.uniform(0, 1))
            process.send_signal(signal.SIGKILL)
        _, said = process.communicate()
        assert number < kills or process.returncode == 0, said
        yield count_ready(arena)


def count_ready(arena: Arena) -> int:
    with arena.database.reading() as session:
        return session.query(Clip).where(Clip.status == ClipStatus.READY).count()
