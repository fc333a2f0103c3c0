"""Edits: each instruction names one object and changes one attribute of the scene."""

import numpy as np
import pytest
from foal_scenes import sample_any_scene

from generator.foal.world.edits import distinguishing_name, sample_edit
from generator.foal.world.prompts import parse_prompt
from generator.foal.world.vocabulary import split_words


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
    changed = [scene.objects[i] != obj for i, obj in zip(edit.kept, target.objects, strict=True)]
    removed = len(scene.objects) - len(target.objects)
    assert sum(changed) + removed + (target.time != scene.time) == 1
    assert parse_prompt(edit.text).objects == ()
    assert parse_prompt(edit.text).unknown == ()


@pytest.mark.parametrize("seed", range(40))
def test_a_name_fits_no_object_that_looks_different(seed: int) -> None:
    scene = sample_any_scene(seed)
    rng = np.random.default_rng(seed)
    for index, obj in enumerate(scene.objects):
        words = split_words(distinguishing_name(scene, index, rng))
        for other in scene.objects:
            full = split_words(f"{other.colour} {other.shape}")
            if other.shape != obj.shape or other.colour != obj.colour:
                assert not set(words) <= set(full)
