"""Renderer: independent of resolution, and consistent with its own shortcuts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.foal.world import camera, render
from generator.foal.world.background import background_at, pixel_centres
from generator.foal.world.clip import make_clip
from generator.foal.world.scenes import Camera


def test_all_resolutions_show_the_same_image() -> None:
    clip = make_clip(3)
    large = clip.frames(height=256, width=256)[30]
    small = clip.frames(height=64, width=64)[30]
    shrunk = large.reshape(64, 4, 64, 4, 3).mean(axis=(1, 3))
    assert np.abs(shrunk - small).mean() < 0.01


@pytest.mark.parametrize("seed", [2, 5, 13, 19])
def test_rendering_in_boxes_equals_painting_all_pixels(seed: int) -> None:
    clip = make_clip(seed, held_out=None)
    size, frames = 48, np.arange(0, 72, 9)
    view = clip.motions.view[frames]
    points = render.to_world(pixel_centres(size, size).reshape(1, -1, 2), view)
    empty = background_at(points, clip.scene.ground, clip.scene.time)
    if clip.scene.camera == Camera.STILL:
        plain = render.background(clip.scene.ground, clip.scene.time, size, size)
        empty = np.repeat(plain.reshape(1, -1, 3), len(frames), 0)
    pixel = 1 / (size * np.exp(view[:, 1:]))
    objects = render.appearances(clip.scene, clip.motions, frames)
    whole = render.paint(empty, points, objects, pixel=pixel)
    boxed = clip.frames(height=size, width=size)[frames]
    assert np.abs(boxed.reshape(whole.shape) - whole).max() < 4e-3


@given(
    pan=st.floats(-camera.PAN, camera.PAN),
    zoom=st.floats(0, np.log(camera.ZOOM)),
    x=st.floats(0, 1),
    y=st.floats(0, 1),
)
def test_world_and_image_coordinates_are_inverse(
    pan: float, zoom: float, x: float, y: float
) -> None:
    point, view = np.array([[x, y]]), np.array([[pan, zoom]])
    there = render.to_world(point, view)
    assert render.to_image(there, view) == pytest.approx(point, abs=1e-5)
