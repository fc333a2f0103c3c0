"""Measure a folder of clips: every figure with its count and interval, beside the oracle's."""

import csv
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.table import Table

from generator.foal.measures.diversity import diversity, novelty, outline
from generator.foal.measures.measure import WEIGHTS, gravity, score, sync
from generator.foal.measures.scene_detection import Sighting, look
from generator.foal.world.captions import Description, parse_prompt, plain_caption
from generator.foal.world.clip import FRAME_RATE, held_out_scenes, make_clip
from generator.foal.world.pictures import as_bytes
from generator.foal.world.sound import SAMPLE_RATE

PROMPTS_FILE = "prompts.csv"
NAMED = 5  # prompts without a clip that are named
UNBOUNDED = ("gravity", "novelty")  # shares of the world's own; all other figures end at 1
CONFIDENCE_Z = 1.96  # 95%
ORACLE_SEED = 50_000
APART = ("colour",)  # also reported for clips with one, two and three things
# What `python -m generator measure --oracle 240` says of the world's own renders.
ORACLE = {
    "present": 0.998,
    "count": 0.996,
    "colour": 0.999,
    "colour_1": 1.0,
    "colour_2": 1.0,
    "colour_3": 0.996,
    "shape": 0.997,
    "material": 0.999,
    "size": 0.994,
    "scene": 1.0,
    "camera": 1.0,
    "moves": 0.99,
    "motion": 0.991,
    "sync": 0.979,
    "sync_shuffled": 0.146,
    "sharpness": 0.998,
    "quality": 0.995,
    "gravity": 0.998,
    "novelty": 1.08,
    "diversity": 0.99,
}


@dataclass(frozen=True)
class RawFilm:
    """A decoded clip: frames (T, H, W, 3) uint8, audio (channels, samples) float32 or None."""

    frames: np.ndarray
    fps: float
    audio: np.ndarray | None
    sample_rate: int | None


@dataclass(frozen=True)
class Figure:
    """A mean with its 95% interval (normal) over `count` clips; one clip has none."""

    mean: float
    lower: float | None
    upper: float | None
    count: int


@dataclass(frozen=True)
class FolderMeasures:
    """Figures of each clip by prompt id, their summary, the ids that are not of this world, and
    those that have no file.
    """

    clips: dict[str, dict[str, float]]
    summary: dict[str, Figure]
    skipped: tuple[str, ...]
    absent: tuple[str, ...] = ()


class FolderError(ValueError):
    """A folder that cannot be measured; the message says what is wrong and what to do."""


def measure_folder(folder: Path, read_film: Callable[[Path], RawFilm]) -> FolderMeasures:
    """Measure every `PROMPT_ID.mp4` of a folder against its row (id, text) of `prompts.csv`.

    Args:
        folder: with the clips and prompts.csv.
        read_film: decodes one file.

    Raises:
        FolderError: no prompts.csv, a missing column, no clip, or none of this world.
    """
    prompts = read_prompts(folder / PROMPTS_FILE)
    films = {key: folder / f"{key}.mp4" for key in prompts}
    found = {key: path for key, path in films.items() if path.exists()}
    if not found:
        raise FolderError(f"{folder} has no clip named after an id of {PROMPTS_FILE} (ID.mp4).")
    measured = measure_films(((key, prompts[key], read_film(path)) for key, path in found.items()))
    if not measured.clips:
        raise FolderError(f"{folder} has no clip whose prompt is of Foal's world (docs/foal.md).")
    return replace(measured, absent=tuple(key for key in films if key not in found))


def measure_films(films: Iterable[tuple[str, str, RawFilm]]) -> FolderMeasures:
    """Measure (id, prompt, film) one after the other; films are not kept.

    Besides what `measure_clip` says, the summary has `sync_shuffled`, what a clip's pictures score
    with the sound of the film before; `gravity`, the acceleration in flight as a share of the
    world's; `colour_1` to `colour_3`, colour by number of things; `novelty`, the distance of the
    nearest training clip over that of the world's own clips; and `diversity`, the spread of clips
    of one text over the world's own.
    """
    clips: dict[str, dict[str, float]] = {}
    skipped: list[str] = []
    outlines: dict[str, list[np.ndarray]] = {}
    before: RawFilm | None = None
    for key, text, film in films:
        wish = parse_prompt(text)
        if not wish.in_world:
            skipped.append(key)
            continue
        sighting = look(film.frames, wish, fps=film.fps)
        heard = _sync(sighting, wish, film, film)
        figures = score(sighting, wish, film.frames, fps=film.fps, heard=heard)
        strange = None if before is None else _sync(sighting, wish, film, before)
        shape = outline(sighting)
        if shape is not None:
            outlines.setdefault(text, []).append(shape)
        more = {
            "sync_shuffled": strange,
            "gravity": gravity(sighting, fps=film.fps),
            "novelty": None if shape is None else novelty(text, shape),
            **{f"{name}_{len(wish.things)}": figures[name] for name in APART},
        }
        clips[key] = figures | {name: value for name, value in more.items() if value is not None}
        before = RawFilm(film.frames[:0], film.fps, film.audio, film.sample_rate)
    names = sorted({name for figures in clips.values() for name in figures}, key=_place)
    summary = {
        name: summarise(
            [figures[name] for figures in clips.values() if name in figures],
            most=math.inf if name in UNBOUNDED else 1.0,
        )
        for name in names
    }
    if spreads := list(diversity(outlines).values()):
        summary["diversity"] = summarise(spreads)
    return FolderMeasures(clips, summary, tuple(skipped))


def _place(name: str) -> tuple[int, str]:
    """Figures in the order of their weights, those by number of things behind their own."""
    order = [*WEIGHTS, "quality", "gravity", "novelty"]
    known = [i for i, start in enumerate(order) if name.startswith(start)]
    return (known[0] if known else len(order), name)


def measure_oracle(count: int, *, things: int | None = None) -> FolderMeasures:
    """Measure the world's own renders of held-out scenes, one, two and three things in turn.

    Of eight clips three have the same caption, for `diversity`.
    """

    def films() -> Iterator[tuple[str, str, RawFilm]]:
        for i in range(count):
            scene_seed = ORACLE_SEED + i - max(0, i % 8 - 5)
            number = things or 1 + scene_seed % 3
            scene = next(held_out_scenes(scene_seed, things=number))
            clip = make_clip(np.random.default_rng((ORACLE_SEED, i)), scene=scene)
            frames = as_bytes(clip.frames())
            film = RawFilm(frames, FRAME_RATE, clip.audio()[None], SAMPLE_RATE)
            yield f"oracle-{i}", plain_caption(scene), film

    return measure_films(films())


def _sync(sighting: Sighting, wish: Description, seen: RawFilm, heard: RawFilm) -> float | None:
    if heard.audio is None or not heard.sample_rate:
        return None
    return sync(sighting, wish, heard.audio, fps=seen.fps, sample_rate=heard.sample_rate)


def summarise(values: list[float], *, most: float = math.inf) -> Figure:
    """Mean and 95% interval of independent values from 0 to `most`."""
    mean = float(np.mean(values))
    if len(values) == 1:
        return Figure(mean, None, None, 1)
    half = CONFIDENCE_Z * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return Figure(mean, max(0.0, mean - half), min(most, mean + half), len(values))


def read_prompts(path: Path) -> dict[str, str]:
    """Texts by id from a CSV file with the columns id and text.

    Raises:
        FolderError: no such file, or a column is missing.
    """
    if not path.exists():
        raise FolderError(f"{path} is missing: a CSV file with the columns id and text.")
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if not {"id", "text"} <= set(reader.fieldnames or ()):
            raise FolderError(f"{path} needs the columns id and text.")
        return {row["id"]: row["text"] for row in reader}


def as_table(measures: FolderMeasures) -> Table:
    """The summary as a table for the terminal."""
    table = Table("figure", "mean", "95% interval", "clips", "the world's own renders")
    for name, figure in measures.summary.items():
        told = figure.lower is not None and figure.upper is not None
        interval = f"{figure.lower:.3f} to {figure.upper:.3f}" if told else "of one clip"
        oracle = f"{ORACLE[name]:.3f}" if name in ORACLE else ""
        table.add_row(name, f"{figure.mean:.3f}", interval, str(figure.count), oracle)
    notes = []
    if measures.skipped:
        notes.append(f"{len(measures.skipped)} clips are not of this world and left out.")
    if measures.absent:
        named = ", ".join(measures.absent[:NAMED]) + ", …" * (len(measures.absent) > NAMED)
        notes.append(f"{len(measures.absent)} prompts have no clip ({named}).")
    table.caption = " ".join(notes) or None
    return table
