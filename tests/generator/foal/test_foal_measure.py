"""Measures: true clips score high, and each fault lowers its own figure."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from generator.foal.captions import plain_caption
from generator.foal.measure import WEIGHTS, measure_clip
from generator.foal.measure_folder import (
    ORACLE,
    FolderError,
    RawFilm,
    as_table,
    measure_films,
    measure_folder,
)
from generator.foal.scenes import Ground, Motion, Scene, Shape, Thing, Time
from generator.foal.world import Clip, held_out_scenes, make_clip

Film = tuple[np.ndarray, np.ndarray]


def _scene(colour: str = "red", shape: Shape = Shape.BALL, motion: Motion = Motion.BOUNCE) -> Scene:
    return Scene((Thing(colour, shape),), motion, Ground.GRASS, Time.DAY)


def _film(clip: Clip, *, size: int = 128) -> Film:
    frames = (clip.frames(height=size, width=size) * 255 + 0.5).astype(np.uint8)
    return frames, np.stack([clip.audio()] * 2)


def _measure(film: Film, prompt: str) -> dict[str, float]:
    figures = measure_clip(film[0], fps=24, audio=film[1], sample_rate=48_000, prompt=prompt)
    assert figures is not None
    return figures


@pytest.fixture(scope="module")
def bounce() -> Film:
    return _film(make_clip(11, scene=_scene()))


def test_true_clips_score_what_the_documentation_says() -> None:
    scenes = held_out_scenes(5)
    films = []
    for i in range(16):
        scene = next(scenes)
        frames, audio = _film(make_clip(i, scene=scene))
        films.append((str(i), plain_caption(scene), RawFilm(frames, 24, audio, 48_000)))
    summary = measure_films(iter(films)).summary
    for name, value in ORACLE.items():
        if name != "sync_shuffled":
            assert summary[name].mean > value - 0.08, name
    assert summary["sync_shuffled"].mean < 0.5
    assert summary["quality"].count == 16
    assert summary["quality"].lower <= summary["quality"].mean <= summary["quality"].upper


def _wrong_colour(film: Film) -> tuple[Film, str]:
    return film, "a blue ball bounces on grass by day"


def _wrong_shape(film: Film) -> tuple[Film, str]:
    return film, "a red cube bounces on grass by day"


def _wrong_scene(film: Film) -> tuple[Film, str]:
    return film, "a red ball bounces on sand by night"


def _wrong_motion(film: Film) -> tuple[Film, str]:
    return film, "a red ball rolls on grass by day"


def _gone(film: Film) -> tuple[Film, str]:
    empty = np.median(film[0], axis=0).astype(np.uint8)
    frames = film[0].copy()
    frames[20:] = empty
    return (frames, film[1]), "a red ball bounces on grass by day"


def _shaking(film: Film) -> tuple[Film, str]:
    shifts = np.random.default_rng(0).integers(-2, 3, len(film[0]))
    frames = np.stack([np.roll(f, s, axis=1) for f, s in zip(film[0], shifts, strict=True)])
    return (frames, film[1]), "a red ball bounces on grass by day"


def _late_sound(film: Film) -> tuple[Film, str]:
    return (film[0], np.roll(film[1], 48_000 * 2 // 5, axis=1)), (
        "a red ball bounces on grass by day"
    )


@pytest.mark.parametrize(
    ("fault", "figure"),
    [
        (_wrong_colour, "colour"),
        (_wrong_shape, "shape"),
        (_wrong_scene, "scene"),
        (_wrong_motion, "moves"),
        (_gone, "present"),
        (_shaking, "motion"),
        (_late_sound, "sync"),
    ],
)
def test_a_fault_lowers_its_figure_and_the_quality(
    bounce: Film, fault: Callable[[Film], tuple[Film, str]], figure: str
) -> None:
    right = _measure(bounce, "a red ball bounces on grass by day")
    wrong = _measure(*fault(bounce))
    assert wrong[figure] < right[figure] - 0.3
    assert wrong["quality"] < right["quality"]
    assert all(0 <= value <= 1 for value in wrong.values())


def test_what_the_prompt_leaves_open_is_not_judged(bounce: Film) -> None:
    figures = _measure(bounce, "a ball")
    assert figures["colour"] == figures["shape"] == figures["scene"] == 1


def test_a_silent_clip_has_no_sync_and_still_a_quality(bounce: Film) -> None:
    prompt = "a red ball bounces on grass by day"
    figures = measure_clip(bounce[0], fps=24, audio=None, sample_rate=None, prompt=prompt)
    assert figures is not None
    assert set(figures) == {*WEIGHTS, "quality"} - {"sync"}
    assert figures["quality"] > 0.9


def test_prompts_of_other_worlds_are_not_measured(bounce: Film) -> None:
    prompt = "a city at dawn"
    assert measure_clip(bounce[0], fps=24, audio=None, sample_rate=None, prompt=prompt) is None


@pytest.mark.parametrize("kind", ["black", "noise", "white"])
def test_frames_that_show_nothing_are_measured_as_bad(kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (24, 64, 64, 3), dtype=np.uint8)
    frames = {"black": noise * 0, "noise": noise, "white": noise * 0 + 255}[kind]
    silence = np.zeros((2, 48_000), dtype=np.float32)
    figures = measure_clip(
        frames, fps=24, audio=silence, sample_rate=48_000, prompt="a red ball bounces on grass"
    )
    assert figures is not None
    assert figures["present"] == figures["motion"] == 0
    assert figures["quality"] < 0.5


def test_a_folder_is_measured_by_its_prompts(tmp_path: Path, bounce: Film) -> None:
    (tmp_path / "prompts.csv").write_text("id,text\np1,a red ball bounces\np2,a city\n")
    for name in ("p1", "p2"):
        (tmp_path / f"{name}.mp4").touch()
    film = RawFilm(bounce[0], 24, bounce[1], 48_000)
    measures = measure_folder(tmp_path, lambda path: film)
    assert set(measures.clips) == {"p1"}
    assert measures.skipped == ("p2",)
    assert as_table(measures).row_count == len(measures.summary)


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "missing"), ("id,prompt\n1,a\n", "columns id and text"), ("id,text\n1,a\n", "no clip")],
)
def test_a_folder_that_cannot_be_measured_says_why(
    tmp_path: Path, content: str | None, said: str
) -> None:
    if content is not None:
        (tmp_path / "prompts.csv").write_text(content)
    with pytest.raises(FolderError, match=said):
        measure_folder(tmp_path, lambda path: pytest.fail("nothing to read"))
