"""Clips: deterministic, of the right shape, and split into training and held-out scenes."""

import itertools

import numpy as np

from generator.foal.world.clip import captions, held_out_captions, held_out_scenes, make_clip
from generator.foal.world.scenes import COLOURS, sample_scene


def test_a_seed_always_gives_the_same_clip() -> None:
    one, other = make_clip(5), make_clip(5)
    assert one.caption == other.caption
    assert np.array_equal(one.frames(height=48, width=48), other.frames(height=48, width=48))
    assert np.array_equal(one.audio(), other.audio())
    assert make_clip(6).caption != one.caption or not np.array_equal(
        make_clip(6).motions.position, one.motions.position
    )


def test_a_clip_is_three_seconds_of_frames_and_sound() -> None:
    clip = make_clip(1)
    assert clip.frames(height=40, width=64).shape == (72, 40, 64, 3)
    assert clip.audio().shape == (3 * 48_000,)
    assert np.abs(clip.audio()).max() <= 1


def test_training_scenes_contain_no_held_out_combination() -> None:
    rng = np.random.default_rng(0)
    assert not any(sample_scene(rng).held_out for _ in range(500))
    held_out = list(itertools.islice(held_out_scenes(0), 50))
    assert all(scene.held_out for scene in held_out)
    assert {len(scene.objects) for scene in held_out} == {1, 2, 3}


def test_captions_are_distinct_and_reproducible() -> None:
    texts = held_out_captions(3, 60)
    assert texts == held_out_captions(3, 60)
    assert len(set(texts)) == 60
    assert not set(captions(1, 30, objects=1)) & set(held_out_captions(1, 30, objects=1))
    assert all(colour in " ".join(captions(0, 200)) for colour in COLOURS)
