"""Measures of one clip: true renders score high, and each fault lowers its own figure."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from foal_scenes import BOUNCE, BOUNCE_PROMPT, RED_BALL, RenderedClip, render_clip
from scipy.ndimage import gaussian_filter

from generator.foal.measures.av_sync import find_onsets
from generator.foal.measures.camera import _templates
from generator.foal.measures.measure import WEIGHTS, measure_clip, score
from generator.foal.measures.scene_detection import detect_scene
from generator.foal.world.captions import plain_caption
from generator.foal.world.clip import make_clip
from generator.foal.world.prompts import parse_prompt
from generator.foal.world.scenes import (
    Camera,
    Material,
    Motion,
    Scene,
    SceneObject,
    Shape,
    Size,
    Time,
)


def _measure(rendered: RenderedClip, prompt: str) -> dict[str, float]:
    figures = measure_clip(
        rendered[0], fps=24, audio=rendered[1], sample_rate=48_000, prompt=prompt
    )
    assert figures is not None
    return figures


def _measure_scene(scene: Scene, seed: int = 3) -> dict[str, float]:
    return _measure(render_clip(make_clip(seed, scene=scene)), plain_caption(scene))


@pytest.fixture(scope="module")
def right(bounce: RenderedClip) -> dict[str, float]:
    """The figures of the clip without a fault, by its own prompt."""
    return _measure(bounce, BOUNCE_PROMPT)


@pytest.mark.parametrize("motion", list(Motion))
def test_each_motion_is_recognised(motion: Motion) -> None:
    scene = replace(BOUNCE, objects=(RED_BALL, SceneObject("blue", Shape.CUBE)), motion=motion)
    frames, _ = render_clip(make_clip(4, scene=scene))
    # The motion that a prompt asks for changes what is judged, not what is detected.
    detection = detect_scene(frames, parse_prompt(plain_caption(scene)), fps=24)
    for other in Motion:
        request = parse_prompt(plain_caption(replace(scene, motion=other)))
        moves = score(detection, request, frames, fps=24, sync_f1=None)["moves"]
        # A colliding ball also rolls.
        assert moves == 1 if other == motion else moves <= 0.5, other


@pytest.mark.parametrize("camera", list(Camera))
def test_a_moving_camera_is_detected_and_compensated(camera: Camera) -> None:
    figures = _measure_scene(replace(BOUNCE, time=Time.NIGHT, camera=camera))
    assert figures["camera"] == figures["moves"] == figures["colour"] == 1
    assert figures["motion"] > 0.9


@pytest.mark.parametrize("material", list(Material))
@pytest.mark.parametrize("shape", list(Shape))
def test_materials_shapes_and_sizes_are_distinguished(material: Material, shape: Shape) -> None:
    objects = tuple(
        SceneObject(colour, shape, material, size)
        for colour, size in zip(("red", "green", "blue"), Size, strict=True)
    )
    figures = _measure_scene(replace(BOUNCE, objects=objects, motion=Motion.ORBIT))
    assert figures["material"] == figures["shape"] == figures["size"] == figures["count"] == 1


def test_occluded_and_touching_objects_count_as_present() -> None:
    identical = replace(BOUNCE, objects=(RED_BALL, RED_BALL), motion=Motion.COLLIDE)
    figures = _measure_scene(identical)
    assert figures["present"] > 0.97
    assert figures["count"] == figures["moves"] == 1


def test_continuous_sounds_are_not_hits() -> None:
    swing = make_clip(3, scene=replace(BOUNCE, motion=Motion.SWING))
    assert all(rise < 0.08 for at, rise in find_onsets(swing.audio()[None], 48_000) if at > 0.1)
    assert "sync" not in _measure_scene(swing.scene)


# Each is wrong in one way for a clip of a red ball that bounces on grass by day.
WRONG_PROMPTS = {
    "colour": "a blue ball bounces on grass by day",
    "shape": "a red cube bounces on grass by day",
    "scene": "a red ball bounces on sand by night",
    "moves": "a red ball rolls on grass by day",
    "count": "two red balls bounce on grass by day",
    "material": "a red wooden ball bounces on grass by day",
    "size": "a small red ball bounces on grass by day",
    "camera": BOUNCE_PROMPT + " the camera pans left",
}


@pytest.mark.parametrize("figure", WRONG_PROMPTS)
def test_a_wrong_prompt_lowers_its_figure(
    bounce: RenderedClip, right: dict[str, float], figure: str
) -> None:
    _expect_worse(right, _measure(bounce, WRONG_PROMPTS[figure]), figure)


def _disappearing(rendered: RenderedClip) -> RenderedClip:
    empty = np.median(rendered[0], axis=0).astype(np.uint8)
    frames = rendered[0].copy()
    frames[20:] = empty
    return frames, rendered[1]


def _jittering(rendered: RenderedClip) -> RenderedClip:
    empty = np.median(rendered[0], axis=0).astype(np.uint8)
    shifts = np.random.default_rng(0).integers(-3, 4, len(rendered[0]))
    frames = [
        np.where(np.abs(np.roll(f, s, axis=1) - 1.0 * empty) > 25, np.roll(f, s, axis=1), empty)
        for f, s in zip(rendered[0], shifts, strict=True)
    ]
    return np.stack(frames).astype(np.uint8), rendered[1]


def _frozen(rendered: RenderedClip) -> RenderedClip:
    return np.repeat(rendered[0][:1], len(rendered[0]), axis=0), rendered[1]


def _blurred(rendered: RenderedClip) -> RenderedClip:
    return gaussian_filter(rendered[0], (0, 3, 3, 0)), rendered[1]


def _delayed_sound(rendered: RenderedClip) -> RenderedClip:
    return rendered[0], np.roll(rendered[1], 48_000 * 2 // 5, axis=1)


def _sound_of_another_clip(rendered: RenderedClip) -> RenderedClip:
    other = make_clip(12, scene=BOUNCE).audio()
    return rendered[0], np.stack([other] * 2)


def _silence(rendered: RenderedClip) -> RenderedClip:
    return rendered[0], rendered[1] * 0


@pytest.mark.parametrize(
    ("fault", "figure"),
    [
        (_disappearing, "present"),
        (_jittering, "motion"),
        (_frozen, "moves"),
        (_frozen, "sync"),
        (_blurred, "sharpness"),
        (_delayed_sound, "sync"),
        (_sound_of_another_clip, "sync"),
        (_silence, "sync"),
    ],
)
def test_a_fault_lowers_its_figure_and_the_quality(
    bounce: RenderedClip,
    right: dict[str, float],
    fault: Callable[[RenderedClip], RenderedClip],
    figure: str,
) -> None:
    _expect_worse(right, _measure(fault(bounce), BOUNCE_PROMPT), figure)


def _expect_worse(right: dict[str, float], wrong: dict[str, float], figure: str) -> None:
    assert right[figure] > 0.95
    assert wrong[figure] < right[figure] - 0.3
    assert wrong["quality"] < right["quality"]
    assert all(0 <= value <= 1 for value in wrong.values())


def test_what_the_prompt_leaves_open_counts_as_right(bounce: RenderedClip) -> None:
    figures = _measure(bounce, "a ball")
    assert figures["colour"] == figures["shape"] == figures["scene"] == 1


def test_a_silent_clip_has_no_sync_and_still_a_quality(bounce: RenderedClip) -> None:
    figures = measure_clip(bounce[0], fps=24, audio=None, sample_rate=None, prompt=BOUNCE_PROMPT)
    assert figures is not None
    assert set(figures) == {*WEIGHTS, "quality"} - {"sync"}
    assert figures["quality"] > 0.9


@pytest.mark.parametrize("prompt", ["a city at dawn", "", "make the red ball blue"])
def test_prompts_of_other_worlds_and_edits_are_not_measured(
    bounce: RenderedClip, prompt: str
) -> None:
    assert measure_clip(bounce[0], fps=24, audio=None, sample_rate=None, prompt=prompt) is None


@pytest.mark.parametrize("kind", ["black", "noise", "white"])
def test_frames_that_show_nothing_score_low(kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (24, 64, 64, 3), dtype=np.uint8)
    frames = {"black": noise * 0, "noise": noise, "white": noise * 0 + 255}[kind]
    silence = np.zeros((2, 48_000), dtype=np.float32)
    figures = measure_clip(
        frames, fps=24, audio=silence, sample_rate=48_000, prompt="a red ball bounces on grass"
    )
    assert figures is not None
    assert figures["present"] < 0.6
    assert figures["colour"] == figures.get("motion", 0) == figures.get("moves", 0) == 0
    assert figures["quality"] < 0.5


def test_the_views_of_a_background_are_rendered_once(bounce: RenderedClip) -> None:
    _measure(bounce, BOUNCE_PROMPT)
    rendered = _templates.cache_info().misses
    _measure(bounce, BOUNCE_PROMPT)
    assert _templates.cache_info().misses == rendered
