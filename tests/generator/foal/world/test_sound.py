"""Sound: onsets at the contacts, louder for faster hits."""

import numpy as np
import pytest
from foal_scenes import sample_any_scene, simulate_scene
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.foal.world import physics, sound
from generator.foal.world.scenes import Ground, Motion, Scene, SceneObject, Shape, Time


@pytest.mark.parametrize("ground", list(Ground))
def test_sound_starts_at_the_contact_and_gets_louder_with_speed(ground: Ground) -> None:
    scene = Scene((SceneObject("red", Shape.BALL),), Motion.BOUNCE, ground, Time.DAY)
    motions = simulate_scene(scene, 1, rate=24)
    bands = sound.envelope(scene, motions, seconds=3)
    first = motions.contacts[0]
    hop = int(first.seconds * sound.HOPS_PER_SECOND)
    assert bands[:hop].max() <= max(sound.AMBIENCE[Time.DAY].values())
    assert bands[hop].max() > 0.3
    wave = sound.play(bands)
    quiet = int(hop / sound.HOPS_PER_SECOND * sound.SAMPLE_RATE)
    assert np.abs(wave[:quiet]).max() < 0.02
    assert np.abs(wave[quiet : quiet + 960]).max() > 0.1
    slow = physics.Motions(**{**motions.__dict__, "contacts": (physics.Contact(1.0, 0, 0.3),)})
    assert sound.envelope(scene, slow, seconds=3).max() < bands.max()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_the_envelope_rises_only_at_contacts(seed: int) -> None:
    scene = sample_any_scene(seed)
    motions = simulate_scene(scene, seed, rate=24)
    still = physics.Motions(**{**motions.__dict__, "speed": motions.speed * 0})
    bands = sound.envelope(scene, still, seconds=3)
    rises = {int(hop) + 1 for hop in np.flatnonzero((np.diff(bands, axis=0) > 1e-6).any(axis=1))}
    hits = {int(contact.seconds * sound.HOPS_PER_SECOND) for contact in motions.contacts}
    assert rises <= hits
    # A hit during a louder one may be masked, but the first one is always audible.
    assert not hits or min(hits) == 0 or min(hits) in rises
