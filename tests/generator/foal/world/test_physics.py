"""Physics: gravity, restitution, momentum, and objects that stay inside the walls."""

import itertools

import numpy as np
import pytest
from foal_scenes import FINE_RATE, make_scene, sample_any_scene, simulate_scene
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.foal.world import collisions, physics
from generator.foal.world.flights import GRAVITY, RESTITUTION
from generator.foal.world.scenes import Camera, Ground, Motion, Scene, SceneObject, Shape, Time


@pytest.mark.parametrize("camera", list(Camera))
def test_a_camera_moves_as_its_name_says(camera: Camera) -> None:
    scene = Scene((SceneObject("red", Shape.BALL),), Motion.ROLL, Ground.ICE, Time.DAY, camera)
    turn, nearing = np.diff(simulate_scene(scene, 0).view[[0, -1]], axis=0)[0]
    signs = {"still": (0, 0), "left": (-1, 0), "right": (1, 0), "in": (0, 1), "out": (0, -1)}
    assert (np.sign(turn), np.sign(nearing)) == signs[camera]


@pytest.mark.parametrize("seed", range(4))
def test_flights_between_hits_follow_gravity(seed: int) -> None:
    scene = make_scene(("red", Shape.BALL))
    motions = simulate_scene(scene, seed)
    cuts = [0, *(round(c.seconds * FINE_RATE) for c in motions.contacts), 3 * FINE_RATE]
    y = motions.position[:, 0, 1]
    rest = motions.ground[0] - motions.size[0]
    flights = 0
    for first, last in itertools.pairwise(cuts):
        flight = y[first + 2 : last - 2]
        if len(flight) > 20 and flight.min() < rest - 0.02:
            assert np.diff(flight, 2).mean() * FINE_RATE**2 == pytest.approx(GRAVITY, rel=2e-2)
            flights += 1
    assert flights >= 2
    assert y.max() == pytest.approx(rest, abs=2e-3)


@pytest.mark.parametrize("ground", list(Ground))
def test_a_bounce_keeps_the_restitution_of_the_ground(ground: Ground) -> None:
    scene = Scene((SceneObject("red", Shape.BALL),), Motion.BOUNCE, ground, Time.DAY)
    motions = simulate_scene(scene, 3)
    floor = [
        contact
        for contact in motions.contacts
        if abs(motions.position[round(contact.seconds * FINE_RATE), 0, 1] - motions.ground[0])
        < motions.size[0] + 0.01
    ]
    first, second = floor[:2]
    assert second.speed == pytest.approx(first.speed * RESTITUTION[ground], rel=1e-6)


@pytest.mark.parametrize("seed", range(8))
def test_collisions_conserve_momentum(seed: int) -> None:
    shapes = (Shape.BALL, Shape.CUBE, Shape.BALL)[: 2 + seed % 2]
    scene = make_scene(*(("red", shape) for shape in shapes), motion=Motion.COLLIDE)
    motions = simulate_scene(scene, seed)
    mass = motions.size**2
    collided = 0
    for moment, group in itertools.groupby(motions.contacts, key=lambda c: c.seconds):
        at, pair = round(moment * FINE_RATE), [contact.index for contact in group]
        others = [c for c in motions.contacts if 0 < abs(c.seconds - moment) < 8 / FINE_RATE]
        if len(pair) != 2 or others or not 8 < at < 3 * FINE_RATE - 8:
            continue
        x = motions.position[:, pair, 0]
        before, after = (x[at - 3] - x[at - 7], x[at + 7] - x[at + 3])
        assert before @ mass[pair] == pytest.approx(after @ mass[pair], abs=1e-7)
        assert after[0] - after[1] == pytest.approx(
            -collisions.RESTITUTION * (before[0] - before[1]), abs=1e-7
        )
        collided += 1
    assert collided


def test_a_rolling_cube_lands_flat_with_every_hit() -> None:
    motions = simulate_scene(make_scene(("blue", Shape.CUBE), motion=Motion.ROLL), 2)
    assert len(motions.contacts) > 2
    for contact in motions.contacts:
        at = round(contact.seconds * FINE_RATE)
        if at < len(motions.angle):
            quarter = motions.angle[at, 0] / (np.pi / 2)
            assert abs(quarter - round(quarter)) < 0.03
    low = motions.position[:, 0, 1].max()
    assert low == pytest.approx(motions.ground[0] - motions.size[0], abs=2e-3)


@pytest.mark.parametrize("seed", range(3))
def test_ropes_and_orbits_keep_their_length(seed: int) -> None:
    swing = simulate_scene(
        make_scene(("red", Shape.BALL), ("blue", Shape.CUBE), motion=Motion.SWING), seed
    )
    tied = np.stack([swing.rope, np.full(2, physics.ROPE_TOP)], axis=1)
    length = np.hypot(*(swing.position - tied).transpose(2, 0, 1))
    assert np.ptp(length, axis=0) == pytest.approx(0, abs=1e-9)
    orbit = simulate_scene(make_scene(("red", Shape.BALL), motion=Motion.ORBIT), seed)
    away = np.hypot(*(orbit.position[:, 0] - physics.ORBIT_CENTRE).T)
    assert np.ptp(away) == pytest.approx(0, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000))
def test_objects_stay_between_the_walls_and_above_the_ground(seed: int) -> None:
    scene = sample_any_scene(seed)
    motions = simulate_scene(scene, seed, rate=48)
    # Swinging and orbiting objects have no walls: only their centres stay in the image.
    low, high = physics.wall_positions(scene)
    half = motions.size
    if scene.motion in (Motion.SWING, Motion.ORBIT):
        low, high, half = 0.0, 1.0, half * 0
    x, y = motions.position[..., 0], motions.position[..., 1]
    assert (x >= low + half - 1e-6).all()
    assert (x <= high - half + 1e-6).all()
    # A tumbling cube rises over its corner, but is never lower than at rest.
    assert (y <= motions.ground - motions.size + 1e-6).all()
    assert (y > 0).all()


def test_identical_objects_are_numbered_from_left_to_right() -> None:
    scene = make_scene(("green", Shape.BALL), ("green", Shape.BALL))
    for seed in range(20):
        x = simulate_scene(scene, seed, rate=24).position[0, :, 0]
        assert x[0] < x[1]
