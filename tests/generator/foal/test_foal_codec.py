"""The codec: its latents and its scene encoder; edits of scenes."""

from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

import generator.foal
from generator.foal import FoalPipeline
from generator.foal.model import states
from generator.foal.model.codec import FoalCodec
from generator.foal.world.clip import make_clip
from generator.foal.world.edits import sample_edit
from generator.foal.world.physics import simulate
from generator.foal.world.render import to_image
from generator.foal.world.scenes import Motion, sample_scene
from generator.foal.world.vocabulary import VOCABULARY, split_words

LARGE = Path(generator.foal.__file__).parent / "weights" / "large"


@pytest.fixture(scope="module")
def codec() -> FoalCodec:
    return FoalPipeline.from_pretrained(LARGE, local_files_only=True).codec


def test_positions_survive_projection_to_an_image_and_back() -> None:
    rng = np.random.default_rng(1)
    positions, camera = rng.random((9, 2)), rng.uniform(-1, 1, (9, 2))
    real = np.stack([camera[:, 0] * 0.09, camera[:, 1] * np.log(1.2)], axis=1)
    found = states.positions_from_image(to_image(positions, real), camera)
    assert np.allclose(found * states.POSITION_SCALE + states.POSITION_CENTRE, positions)


@pytest.mark.parametrize("seed", range(60, 66))
def test_the_scene_encoder_finds_every_object_and_its_position(codec: FoalCodec, seed: int) -> None:
    clip = make_clip(seed, held_out=True)
    true = states.encode_states(clip.scene, clip.motions)
    content, motion = (part[0].numpy() for part in codec.encode(clip.frames(height=128, width=128)))
    count = len(clip.scene.objects)
    assert content[1:, states.PRESENCE].sum() == count
    assert np.array_equal(content[0], true.content[0])
    encoded, expected = (_positions(part)[:, :count] for part in (motion, true.motion))
    distance = np.abs(encoded[:, :, None] - expected[:, None]).mean(axis=(0, 3))
    colour_error = np.abs(
        content[1 : 1 + count, None, states.COLOUR]
        - true.content[None, 1 : 1 + count, states.COLOUR]
    ).sum(axis=2)
    rows, columns = linear_sum_assignment(distance + colour_error)
    assert colour_error[rows, columns].max() == 0
    assert distance[rows, columns].max() < 2 / 256  # picture heights


def _positions(motion: np.ndarray) -> np.ndarray:
    slots = motion[:, : states.SLOTS * states.SLOT_MOTION_DIM].reshape(
        len(motion), states.SLOTS, -1
    )
    return slots[..., :2] * states.POSITION_SCALE


def test_an_edit_changes_one_object_and_is_described_in_known_words() -> None:
    rng = np.random.default_rng(2)
    for _ in range(200):
        scene = sample_scene(rng, held_out=None)
        edit = sample_edit(scene, rng)
        assert set(split_words(edit.text)) <= set(VOCABULARY)
        assert edit.target != scene
        kept = [scene.objects[i] for i in edit.kept]
        changed = sum(a != b for a, b in zip(kept, edit.target.objects, strict=True))
        removed = len(scene.objects) - len(kept)
        other_time = edit.target.time != scene.time
        assert changed + removed + other_time == 1


def test_removing_an_object_removes_its_hits() -> None:
    rng = np.random.default_rng(3)
    while True:
        scene = sample_scene(rng, objects=3)
        if scene.motion == Motion.BOUNCE:
            break
    motions = simulate(scene, rng, seconds=3, rate=24)
    left = motions.select([0, 2])
    assert {contact.index for contact in left.contacts} <= {0, 1}
    assert len(left.contacts) == sum(contact.index != 1 for contact in motions.contacts)
    assert np.array_equal(left.position[:, 1], motions.position[:, 2])
