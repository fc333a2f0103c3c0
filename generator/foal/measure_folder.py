"""Measure a folder of clips: every figure with its count and interval, beside the oracle's."""

import csv
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.table import Table

from generator.foal.captions import parse_prompt
from generator.foal.measure import Sighting, look, score, sync

PROMPTS_FILE = "prompts.csv"
CONFIDENCE_Z = 1.96  # 95%
# What 400 renders of held-out scenes score, half of them with two things: `tests` hold them to it.
ORACLE = {
    "present": 0.98,
    "colour": 1.0,
    "shape": 1.0,
    "scene": 1.0,
    "moves": 1.0,
    "motion": 0.95,
    "sync": 0.97,
    "sync_shuffled": 0.25,
    "quality": 0.98,
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
    """A mean with its 95% interval (normal) over `count` clips."""

    mean: float
    lower: float
    upper: float
    count: int


@dataclass(frozen=True)
class FolderMeasures:
    """Figures of each clip by prompt id, their summary, and the ids that are not of this world."""

    clips: dict[str, dict[str, float]]
    summary: dict[str, Figure]
    skipped: tuple[str, ...]


class FolderError(ValueError):
    """A folder that cannot be measured; the message says what is wrong and what to do."""


def measure_folder(folder: Path, read_film: Callable[[Path], RawFilm]) -> FolderMeasures:
    """Measure every `PROMPT_ID.mp4` of a folder against its row (id, text) of `prompts.csv`.

    Args:
        folder: with the clips and prompts.csv.
        read_film: decodes one file.

    Raises:
        FolderError: no prompts.csv, a missing column, or no clip.
    """
    prompts = read_prompts(folder / PROMPTS_FILE)
    films = [(key, folder / f"{key}.mp4") for key in prompts]
    found = [(key, path) for key, path in films if path.exists()]
    if not found:
        raise FolderError(f"{folder} has no clip named after an id of {PROMPTS_FILE} (ID.mp4).")
    return measure_films(((key, prompts[key], read_film(path)) for key, path in found))


def measure_films(films: Iterable[tuple[str, str, RawFilm]]) -> FolderMeasures:
    """Measure (id, prompt, film) one after the other; films are not kept.

    `sync_shuffled` is what a clip's pictures score with the sound of the film before.
    """
    clips: dict[str, dict[str, float]] = {}
    skipped: list[str] = []
    before: RawFilm | None = None
    for key, text, film in films:
        wish = parse_prompt(text)
        if not wish.in_world:
            skipped.append(key)
            continue
        sighting = look(film.frames, wish)
        figures = score(sighting, wish, fps=film.fps, heard=_sync(sighting, film, film))
        if before is not None and (strange := _sync(sighting, film, before)) is not None:
            figures["sync_shuffled"] = strange
        clips[key] = figures
        before = RawFilm(film.frames[:0], film.fps, film.audio, film.sample_rate)
    names = dict.fromkeys(name for figures in clips.values() for name in figures)
    summary = {
        name: summarise([figures[name] for figures in clips.values() if name in figures])
        for name in names
    }
    return FolderMeasures(clips, summary, tuple(skipped))


def _sync(sighting: Sighting, seen: RawFilm, heard: RawFilm) -> float | None:
    if heard.audio is None or not heard.sample_rate:
        return None
    return sync(sighting, heard.audio, fps=seen.fps, sample_rate=heard.sample_rate)


def summarise(values: list[float]) -> Figure:
    """Mean and 95% interval of independent values."""
    mean = float(np.mean(values))
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    return Figure(mean, mean - CONFIDENCE_Z * error, mean + CONFIDENCE_Z * error, len(values))


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
        interval = f"{figure.lower:.3f} to {figure.upper:.3f}"
        oracle = f"{ORACLE[name]:.2f}" if name in ORACLE else ""
        table.add_row(name, f"{figure.mean:.3f}", interval, str(figure.count), oracle)
    if measures.skipped:
        table.caption = f"{len(measures.skipped)} clips are not of this world and left out."
    return table
