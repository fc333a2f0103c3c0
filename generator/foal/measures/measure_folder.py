"""Measure a folder of clips: figures with confidence intervals, next to those of true renders."""

import csv
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.table import Table

from generator.foal.measures.diversity import diversity, novelty, trajectory_descriptor
from generator.foal.measures.measure import WEIGHTS, gravity, score, sync_score
from generator.foal.measures.scene_detection import SceneDetection, detect_scene
from generator.foal.world.captions import plain_caption
from generator.foal.world.clip import FRAME_RATE, held_out_scenes, make_clip
from generator.foal.world.pictures import to_uint8
from generator.foal.world.prompts import Description, parse_prompt
from generator.foal.world.sound import SAMPLE_RATE
from generator.printable import pluralize

PROMPTS_FILE = "prompts.csv"
MAX_LISTED = 5  # missing clips named in the caption
UNBOUNDED = ("gravity", "novelty")  # ratios to the world; all other figures are at most 1
CONFIDENCE_Z = 1.96  # 95%
GROUND_TRUTH_SEED = 50_000
BY_OBJECT_COUNT = ("colour",)  # also reported separately for one, two and three objects
# Means over true renders, from `python -m generator measure --ground-truth 240`.
GROUND_TRUTH = {
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
class DecodedClip:
    """A decoded clip: frames (T, H, W, 3) uint8, audio (channels, samples) float32 or None."""

    frames: np.ndarray
    fps: float
    audio: np.ndarray | None
    sample_rate: int | None


@dataclass(frozen=True)
class Estimate:
    """A mean over `count` clips with its normal 95% interval; a single clip has no interval."""

    mean: float
    lower: float | None
    upper: float | None
    count: int


@dataclass(frozen=True)
class FolderMeasures:
    """Figures of a folder of clips.

    Attributes:
        clips: figures of each clip by prompt id.
        summary: means over the clips.
        skipped: ids of prompts that ask for nothing of this world.
        missing: ids of prompts without a file.
    """

    clips: dict[str, dict[str, float]]
    summary: dict[str, Estimate]
    skipped: tuple[str, ...]
    missing: tuple[str, ...] = ()


class FolderError(ValueError):
    """The folder cannot be measured; the message says why."""


def measure_folder(folder: Path, read_clip: Callable[[Path], DecodedClip]) -> FolderMeasures:
    """Measure every `PROMPT_ID.mp4` of a folder against its row (id, text) of `prompts.csv`.

    Args:
        folder: contains the clips and prompts.csv.
        read_clip: decodes a file.

    Raises:
        FolderError: prompts.csv or a column is missing, or no clip is of this world.
    """
    prompts = read_prompts(folder / PROMPTS_FILE)
    inputs = {prompt_id: folder / f"{prompt_id}.mp4" for prompt_id in prompts}
    existing = {prompt_id: path for prompt_id, path in inputs.items() if path.exists()}
    if not existing:
        raise FolderError(
            f"{folder} contains no clip named after an id of {PROMPTS_FILE} (ID.mp4)."
        )
    measured = measure_clips(
        ((prompt_id, prompts[prompt_id], read_clip(path)) for prompt_id, path in existing.items())
    )
    if not measured.clips:
        raise FolderError(f"{folder} contains no clip of Foal's world, see docs/foal.md.")
    return replace(
        measured, missing=tuple(prompt_id for prompt_id in inputs if prompt_id not in existing)
    )


def measure_clips(inputs: Iterable[tuple[str, str, DecodedClip]]) -> FolderMeasures:
    """Measure clips (id, prompt, clip) one after the other, without keeping them in memory.

    In addition to the figures of `measure_clip`, the summary has `sync_shuffled`, sync with the
    sound of the previous clip; `gravity`, the acceleration in flight relative to the world's;
    `colour_1` to `colour_3`, colour by number of objects; `novelty`, the distance to the nearest
    training clip relative to that of fresh clips of the world; and `diversity`, the dispersion of
    clips of one caption relative to the world's.
    """
    clips: dict[str, dict[str, float]] = {}
    skipped: list[str] = []
    descriptors: dict[str, list[np.ndarray]] = {}
    previous: DecodedClip | None = None
    for prompt_id, text, decoded in inputs:
        request = parse_prompt(text)
        if not request.in_world:
            skipped.append(prompt_id)
            continue
        detection = detect_scene(decoded.frames, request, fps=decoded.fps)
        sync_f1 = _sync_score(detection, request, decoded, decoded)
        figures = score(detection, request, decoded.frames, fps=decoded.fps, sync_f1=sync_f1)
        shuffled_f1 = (
            None if previous is None else _sync_score(detection, request, decoded, previous)
        )
        descriptor = trajectory_descriptor(detection)
        if descriptor is not None:
            descriptors.setdefault(text, []).append(descriptor)
        extra = {
            "sync_shuffled": shuffled_f1,
            "gravity": gravity(detection, fps=decoded.fps),
            "novelty": None if descriptor is None else novelty(text, descriptor),
            **{f"{name}_{len(request.objects)}": figures[name] for name in BY_OBJECT_COUNT},
        }
        clips[prompt_id] = figures | {
            name: value for name, value in extra.items() if value is not None
        }
        previous = DecodedClip(decoded.frames[:0], decoded.fps, decoded.audio, decoded.sample_rate)
    names = sorted({name for figures in clips.values() for name in figures}, key=_sort_key)
    summary = {
        name: mean_interval(
            [figures[name] for figures in clips.values() if name in figures],
            maximum=math.inf if name in UNBOUNDED else 1.0,
        )
        for name in names
    }
    if values := list(diversity(descriptors).values()):
        summary["diversity"] = mean_interval(values)
    return FolderMeasures(clips, summary, tuple(skipped))


def _sort_key(name: str) -> tuple[int, str]:
    """Sort figures in the order of WEIGHTS; those by number of objects follow the total."""
    order = [*WEIGHTS, "quality", "gravity", "novelty"]
    known = [i for i, start in enumerate(order) if name.startswith(start)]
    return (known[0] if known else len(order), name)


def measure_ground_truth(count: int, *, objects: int | None = None) -> FolderMeasures:
    """Measure ground-truth renders of held-out scenes, in turn with one, two and three objects.

    Three of every eight clips share a caption, for `diversity`.
    """

    def inputs() -> Iterator[tuple[str, str, DecodedClip]]:
        for i in range(count):
            scene_seed = GROUND_TRUTH_SEED + i - max(0, i % 8 - 5)
            number = objects or 1 + scene_seed % 3
            scene = next(held_out_scenes(scene_seed, objects=number))
            clip = make_clip(np.random.default_rng((GROUND_TRUTH_SEED, i)), scene=scene)
            frames = to_uint8(clip.frames())
            decoded = DecodedClip(frames, FRAME_RATE, clip.audio()[None], SAMPLE_RATE)
            yield f"ground-truth-{i}", plain_caption(scene), decoded

    return measure_clips(inputs())


def _sync_score(
    detection: SceneDetection, request: Description, video: DecodedClip, sound: DecodedClip
) -> float | None:
    if sound.audio is None or not sound.sample_rate:
        return None
    return sync_score(detection, request, sound.audio, fps=video.fps, sample_rate=sound.sample_rate)


def mean_interval(values: list[float], *, maximum: float = math.inf) -> Estimate:
    """Mean and 95% interval of independent values between 0 and `maximum`."""
    mean = float(np.mean(values))
    if len(values) == 1:
        return Estimate(mean, None, None, 1)
    half = CONFIDENCE_Z * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return Estimate(mean, max(0.0, mean - half), min(maximum, mean + half), len(values))


def read_prompts(path: Path) -> dict[str, str]:
    """Read prompts by id from a CSV file with the columns id and text.

    Raises:
        FolderError: the file or a column is missing.
    """
    if not path.exists():
        raise FolderError(f"{path} is missing; add a CSV file with the columns id and text.")
    prompts: dict[str, str] = {}
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        if not {"id", "text"} <= set(reader.fieldnames or ()):
            raise FolderError(f"{path} must have the columns id and text.")
        for number, row in enumerate(reader, start=1):
            if None in row or None in row.values():
                raise FolderError(
                    f"{path}, row {number}: it has more or fewer cells than the header; put cells "
                    "that contain commas in double quotes."
                )
            if row["id"] in prompts:
                raise FolderError(f"{path}, row {number}: the id {row['id']!r} is used twice.")
            prompts[row["id"]] = row["text"]
    return prompts


def as_table(measures: FolderMeasures) -> Table:
    """Format the summary as a table for the terminal."""
    table = Table("figure", "mean", "95% interval", "clips", "true renders")
    for name, estimate in measures.summary.items():
        bounded = estimate.lower is not None and estimate.upper is not None
        interval = f"{estimate.lower:.3f} to {estimate.upper:.3f}" if bounded else "one clip"
        reference = f"{GROUND_TRUTH[name]:.3f}" if name in GROUND_TRUTH else ""
        table.add_row(name, f"{estimate.mean:.3f}", interval, str(estimate.count), reference)
    notes = []
    if measures.skipped:
        notes.append(
            f"Skipped {pluralize(len(measures.skipped), 'clip')} with prompts outside of this "
            "world."
        )
    if measures.missing:
        named = ", ".join(measures.missing[:MAX_LISTED]) + ", …" * (
            len(measures.missing) > MAX_LISTED
        )
        notes.append(f"No clip for {pluralize(len(measures.missing), 'prompt')} ({named}).")
    table.caption = " ".join(notes) or None
    return table
