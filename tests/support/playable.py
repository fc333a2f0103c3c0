"""An arena with playable clips: small videos of moving bars, made by the real encoder."""

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np

from arena import production
from arena.catalog.entrants import add_entrant
from arena.catalog.manifest import ImportRow
from arena.catalog.prompts import import_prompts
from arena.catalog.schemas import EntrantEntry, PromptEntry
from arena.catalog.tracks import add_track
from arena.context import Arena, make_arena, open_arena, utc_now
from arena.settings import Settings
from arena.shipped import Collection
from generator.clips import RawClip
from generator.media import encode_master
from small_arena import NAMES, PROMPTS, START, entrant_entry, track_entry

TRACK = "bars-audio"
FRAMES, SIZE, FPS, RATE = 24, 64, 24, 48_000


def bar_clip(number: int) -> RawClip:
    """Return one second of a moving bar, whose colour and tone depend on the number."""
    frames = np.full((FRAMES, SIZE, SIZE, 3), 30 + 5 * number, np.uint8)
    for time in range(FRAMES):
        left = (2 * time + 5 * number) % (SIZE - 8)
        frames[time, :, left : left + 8] = (40 * (number % 6), 200, 90)
    tone = np.sin(np.arange(RATE) / RATE * 2 * np.pi * (220 + 40 * number)) / 4
    return RawClip(
        frames=frames,
        fps=Fraction(FPS),
        audio=np.stack([tone, tone]).astype(np.float32),
        sample_rate=RATE,
    )


def settings_for(home: Path, **values: str) -> Settings:
    return Settings(home=home, **values)  # type: ignore[arg-type]  # pydantic parses the strings


ENTRANTS = tuple(entrant_entry(name, tracks=(TRACK,)) for name in NAMES)
PROMPT_ENTRIES = tuple(
    PromptEntry(id=key, text=f"Prompt {key}", tracks=(TRACK,)) for key in PROMPTS
)


def make_playable_arena(
    home: Path,
    *,
    entrants: Sequence[EntrantEntry] = ENTRANTS,
    prompts: Sequence[PromptEntry] = PROMPT_ENTRIES,
    **settings: object,
) -> Arena:
    """Create an arena with a clip of one second, with sound, of every entrant for every prompt.

    Other settings of the track, such as `bytes`, are keyword arguments. Without any, it is a copy
    of one that is made once.
    """
    if entrants is ENTRANTS and prompts is PROMPT_ENTRIES and not settings:
        shutil.copytree(_usual_arena(), home, dirs_exist_ok=True)
        return open_arena(settings_for(home))
    return _make_playable_arena(home, entrants, prompts, settings)


@cache
def _usual_arena() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="hippodrome-playable-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _make_playable_arena(folder, ENTRANTS, PROMPT_ENTRIES, {}).database.dispose()
    return folder


def _make_playable_arena(
    home: Path,
    entrants: Sequence[EntrantEntry],
    prompts: Sequence[PromptEntry],
    settings: dict[str, object],
) -> Arena:
    arena = make_arena(settings_for(home), Collection.STANDARD)
    folder = home / "videos"
    folder.mkdir()
    with arena.database.writing() as session:
        entry = track_entry(TRACK, modality="text-to-video", **settings)
        add_track(session, entry, now=START)
        import_prompts(session, list(prompts), now=START)
        for entrant in entrants:
            add_entrant(session, entrant, now=START)
    rows = []
    for number, (entrant, prompt) in enumerate(product(entrants, prompts)):
        path = folder / f"{number}.mp4"
        path.write_bytes(encode_master(bar_clip(number)))
        rows.append(ImportRow(number + 1, entrant.slug, prompt.id, TRACK, path, 0))
    production.import_clips(
        arena.database, arena.store, rows, clock=utc_now, on_clip=lambda _row: None
    )
    return arena


@contextmanager
def served(
    home: Path, *, workers: int = 1, program: Sequence[str] = ("-m", "arena"), **environment: str
) -> Iterator[str]:
    """Run `arena serve` on a free port, with these variables, and yield its URL."""
    process = subprocess.Popen(
        [sys.executable, *program, "serve", "--port", "0", "--workers", str(workers)],
        env=os.environ | {"ARENA_HOME": str(home)} | environment,
        cwd=home,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "http://" in line, f"the server printed {line!r}"
        yield next(word for word in line.split() if word.startswith("http://"))
    finally:
        process.terminate()
        process.wait(timeout=120)
