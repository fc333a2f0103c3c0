"""Edits: each instruction names one thing and changes one attribute of the scene."""

import numpy as np
import pytest
from foal_scenes import sample_any_scene

from generator.foal.world.captions import parse_prompt, split_words
from generator.foal.world.edits import distinguishing_name, sample_edit


@pytest.mark.parametrize("seed", range(40))
def test_an_edit_changes_one_attribute_and_keeps_the_rest(seed: int) -> None:
    scene = sample_any_scene(seed)
    edit = sample_edit(scene, np.random.default_rng(seed))
    target = edit.target
    assert target != scene
    assert (target.motion, target.ground, target.camera) == (
        scene.motion,
        scene.ground,
        scene.camera,
    )
    changed = [scene.things[i] != thing for i, thing in zip(edit.kept, target.things, strict=True)]
    removed = len(scene.things) - len(target.things)
    assert sum(changed) + removed + (target.time != scene.time) == 1
    assert parse_prompt(edit.text).things == ()
    assert parse_prompt(edit.text).unknown == ()


@pytest.mark.parametrize("seed", range(40))
def test_a_name_fits_no_thing_that_looks_different(seed: int) -> None:
    scene = sample_any_scene(seed)
    rng = np.random.default_rng(seed)
    for index, thing in enumerate(scene.things):
        words = split_words(distinguishing_name(scene, index, rng))
        for other in scene.things:
            full = split_words(f"{other.colour} {other.shape}")
            if other.shape != thing.shape or other.colour != thing.colour:
                assert not set(words) <= set(full)
