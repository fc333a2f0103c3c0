"""An arena for the tests of the vote page: four tracks with playable clips, and awkward prompts."""

from fractions import Fraction
from io import BytesIO
from itertools import product
from pathlib import Path

import av
import numpy as np
from PIL import Image
from source_arena import import_with_sources

from arena import production
from arena.catalog.entrants import add_entrant
from arena.catalog.manifest import ImportRow
from arena.catalog.schemas import PromptEntry
from arena.catalog.tracks import add_track
from arena.context import Arena, make_arena, utc_now
from arena.shipped import Collection
from generator.clips import RawClip
from generator.media import encode_master
from playable import RATE, settings_for
from small_arena import NAMES, START, entrant_entry, track_entry

SILENT, SOUND, IMAGE, EDIT = "wide", "wide-audio", "wide-image", "wide-edit"
FAULTS = "wide-faults"  # for the tests that report clips: what two voters report is withheld
MODALITIES = {
    SILENT: "text-to-video",
    SOUND: "text-to-video",
    FAULTS: "text-to-video",
    IMAGE: "image-to-video",
    EDIT: "video-edit",
}
ENTRANTS = NAMES[:2]
SIZE, FPS, FRAMES = (96, 54), 24, 24
LONG_PROMPT = "a horse walks slowly along the beach " * 43
UNBROKEN_PROMPT = "x" * 500
LINES_PROMPT = (
    "first line\nsecond line\n\nlast line of several that do not fit\nand another\nand more"
)
TEXTS = {
    SILENT: (LONG_PROMPT, UNBROKEN_PROMPT, LINES_PROMPT, "a short prompt"),
    SOUND: ("a bell rings", "a dog barks", "rain falls"),
    FAULTS: ("a lamp falls", "a cup turns", "a box opens"),
    IMAGE: ("it moves", "it turns"),
    EDIT: ("make it night", "make it snow"),
}


def _frames(number: int) -> np.ndarray:
    width, height = SIZE
    frames = np.full((FRAMES, height, width, 3), 30 + 5 * number, np.uint8)
    for time in range(FRAMES):
        left = (3 * time + 5 * number) % (width - 8)
        frames[time, :, left : left + 8] = (40 * (number % 6), 200, 90)
    return frames


def _clip(number: int) -> RawClip:
    tone = np.sin(np.arange(RATE) / RATE * 2 * np.pi * (220 + 40 * number)) / 4
    return RawClip(
        frames=_frames(number),
        fps=Fraction(FPS),
        audio=np.stack([tone, tone]).astype(np.float32),
        sample_rate=RATE,
    )


def _image() -> bytes:
    buffer = BytesIO()
    Image.fromarray(_frames(1)[0]).save(buffer, "PNG")
    return buffer.getvalue()


def _video() -> bytes:
    buffer = BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        for frame in _frames(2):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()


def make_vote_page_arena(home: Path) -> Arena:
    """Create an arena with a clip of one second of both entrants for every prompt."""
    arena = make_arena(settings_for(home, rate_limit="6000/minute"), Collection.STANDARD)
    folder = home / "videos"
    folder.mkdir()
    sources = {IMAGE: folder / "source.png", EDIT: folder / "source.mp4"}
    sources[IMAGE].write_bytes(_image())
    sources[EDIT].write_bytes(_video())
    with arena.database.writing() as session:
        for name, modality in MODALITIES.items():
            width, height = SIZE
            entry = track_entry(name, modality=modality, width=width, height=height)
            add_track(session, entry, now=START)
        for name in ENTRANTS:
            add_entrant(session, entrant_entry(name, tracks=tuple(TEXTS)), now=START)
    entries = [
        PromptEntry(
            id=f"{track}-{number}",
            text=text,
            tracks=(track,),
            source=str(sources[track]) if track in sources else None,
        )
        for track, texts in TEXTS.items()
        for number, text in enumerate(texts)
    ]
    import_with_sources(arena, entries)
    rows = []
    for number, (name, entry) in enumerate(product(ENTRANTS, entries)):
        path = folder / f"{number}.mp4"
        path.write_bytes(encode_master(_clip(number)))
        rows.append(ImportRow(number + 1, name.lower(), entry.id, entry.tracks[0], path, 0))
    production.import_clips(
        arena.database, arena.store, rows, clock=utc_now, on_clip=lambda _row: None
    )
    return arena
