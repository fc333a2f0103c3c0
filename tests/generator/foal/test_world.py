"""The world: deterministic, captioned, heard where it hits, split from its held-out part."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.foal.world import collisions, physics, render, sound
from generator.foal.world.background import background_at, pixel_centres
from generator.foal.world.captions import (
    VOCABULARY,
    ThingRequest,
    describe,
    parse_prompt,
    plain_caption,
    split_words,
)
from generator.foal.world.clip import captions, held_out_captions, held_out_scenes, make_clip
from generator.foal.world.flights import GRAVITY, RESTITUTION
from generator.foal.world.scenes import (
    COLOURS,
    Camera,
    Ground,
    Motion,
    Scene,
    Shape,
    Thing,
    Time,
    sample_scene,
)

FINE = 480  # moments a second: sixteen between two frames' worth of hops


def _scene(*things: tuple[str, Shape], motion: Motion = Motion.BOUNCE) -> Scene:
    return Scene(tuple(Thing(*thing) for thing in things), motion, Ground.GRASS, Time.DAY)


def _motions(scene: Scene, seed: int, *, rate: int = FINE) -> physics.Motions:
    return physics.simulate(scene, np.random.default_rng(seed), seconds=3, rate=rate)


def _drawn(seed: int) -> Scene:
    return sample_scene(np.random.default_rng(seed), held_out=None)


def test_a_seed_always_gives_the_same_clip() -> None:
    one, other = make_clip(5), make_clip(5)
    assert one.caption == other.caption
    assert np.array_equal(one.frames(height=48, width=48), other.frames(height=48, width=48))
    assert np.array_equal(one.audio(), other.audio())
    assert make_clip(6).caption != one.caption or not np.array_equal(
        make_clip(6).motions.position, one.motions.position
    )


def test_a_clip_is_three_seconds_of_pictures_and_sound() -> None:
    clip = make_clip(1)
    assert clip.frames(height=40, width=64).shape == (72, 40, 64, 3)
    assert clip.audio().shape == (3 * 48_000,)
    assert np.abs(clip.audio()).max() <= 1


def test_every_size_shows_the_same_picture() -> None:
    clip = make_clip(3)
    large = clip.frames(height=256, width=256)[30]
    small = clip.frames(height=64, width=64)[30]
    shrunk = large.reshape(64, 4, 64, 4, 3).mean(axis=(1, 3))
    assert np.abs(shrunk - small).mean() < 0.01


@pytest.mark.parametrize("seed", [2, 5, 13, 19])
def test_boxes_paint_the_same_as_all_pixels(seed: int) -> None:
    clip = make_clip(seed, held_out=None)
    size, frames = 48, np.arange(0, 72, 9)
    view = clip.motions.view[frames]
    points = render.to_world(pixel_centres(size, size).reshape(1, -1, 2), view)
    empty = background_at(points, clip.scene.ground, clip.scene.time)
    if clip.scene.camera == Camera.STILL:
        plain = render.background(clip.scene.ground, clip.scene.time, size, size)
        empty = np.repeat(plain.reshape(1, -1, 3), len(frames), 0)
    pixel = 1 / (size * np.exp(view[:, 1:]))
    things = render.appearances(clip.scene, clip.motions, frames)
    whole = render.paint(empty, points, things, pixel=pixel)
    boxed = clip.frames(height=size, width=size)[frames]
    assert np.abs(boxed.reshape(whole.shape) - whole).max() < 4e-3


@given(
    pan=st.floats(-physics.PAN, physics.PAN),
    zoom=st.floats(0, np.log(physics.ZOOM)),
    x=st.floats(0, 1),
    y=st.floats(0, 1),
)
def test_what_the_camera_does_can_be_undone(pan: float, zoom: float, x: float, y: float) -> None:
    point, view = np.array([[x, y]]), np.array([[pan, zoom]])
    there = render.to_world(point, view)
    assert render.to_picture(there, view) == pytest.approx(point, abs=1e-5)


@pytest.mark.parametrize("camera", list(Camera))
def test_a_camera_moves_as_it_is_called(camera: Camera) -> None:
    scene = Scene((Thing("red", Shape.BALL),), Motion.ROLL, Ground.ICE, Time.DAY, camera)
    turn, nearing = np.diff(_motions(scene, 0).view[[0, -1]], axis=0)[0]
    signs = {"still": (0, 0), "left": (-1, 0), "right": (1, 0), "in": (0, 1), "out": (0, -1)}
    assert (np.sign(turn), np.sign(nearing)) == signs[camera]


@pytest.mark.parametrize("seed", range(4))
def test_flights_fall_with_gravity_from_hit_to_hit(seed: int) -> None:
    scene = _scene(("red", Shape.BALL))
    motions = _motions(scene, seed)
    cuts = [0, *(round(c.seconds * FINE) for c in motions.contacts), 3 * FINE]
    y = motions.position[:, 0, 1]
    rest = motions.ground[0] - motions.size[0]
    flights = 0
    for first, last in itertools.pairwise(cuts):
        flight = y[first + 2 : last - 2]
        if len(flight) > 20 and flight.min() < rest - 0.02:
            assert np.diff(flight, 2).mean() * FINE**2 == pytest.approx(GRAVITY, rel=2e-2)
            flights += 1
    assert flights >= 2
    assert y.max() == pytest.approx(rest, abs=2e-3)


@pytest.mark.parametrize("ground", list(Ground))
def test_every_bounce_gives_back_the_grounds_share_of_speed(ground: Ground) -> None:
    scene = Scene((Thing("red", Shape.BALL),), Motion.BOUNCE, ground, Time.DAY)
    motions = _motions(scene, 3)
    floor = [
        contact
        for contact in motions.contacts
        if abs(motions.position[round(contact.seconds * FINE), 0, 1] - motions.ground[0])
        < motions.size[0] + 0.01
    ]
    first, second = floor[:2]
    assert second.speed == pytest.approx(first.speed * RESTITUTION[ground], rel=1e-6)


@pytest.mark.parametrize("seed", range(8))
def test_momentum_is_kept_where_things_collide(seed: int) -> None:
    shapes = (Shape.BALL, Shape.CUBE, Shape.BALL)[: 2 + seed % 2]
    scene = _scene(*(("red", shape) for shape in shapes), motion=Motion.COLLIDE)
    motions = _motions(scene, seed)
    mass = motions.size**2
    collided = 0
    for moment, group in itertools.groupby(motions.contacts, key=lambda c: c.seconds):
        at, pair = round(moment * FINE), [contact.thing for contact in group]
        others = [c for c in motions.contacts if 0 < abs(c.seconds - moment) < 8 / FINE]
        if len(pair) != 2 or others or not 8 < at < 3 * FINE - 8:
            continue
        x = motions.position[:, pair, 0]
        before, after = (x[at - 3] - x[at - 7], x[at + 7] - x[at + 3])
        assert before @ mass[pair] == pytest.approx(after @ mass[pair], abs=1e-7)
        assert after[0] - after[1] == pytest.approx(
            -collisions.RESTITUTION * (before[0] - before[1]), abs=1e-7
        )
        collided += 1
    assert collided


def test_a_rolling_cube_lands_flat_on_the_ground_with_every_hit() -> None:
    motions = _motions(_scene(("blue", Shape.CUBE), motion=Motion.ROLL), 2)
    for contact in motions.contacts:
        at = round(contact.seconds * FINE)
        if at < len(motions.angle):
            quarter = motions.angle[at, 0] / (np.pi / 2)
            assert abs(quarter - round(quarter)) < 0.03
    low = motions.position[:, 0, 1].max()
    assert low == pytest.approx(motions.ground[0] - motions.size[0], abs=2e-3)


@pytest.mark.parametrize("seed", range(3))
def test_a_swing_keeps_its_rope_and_an_orbit_its_radius(seed: int) -> None:
    swing = _motions(_scene(("red", Shape.BALL), ("blue", Shape.CUBE), motion=Motion.SWING), seed)
    tied = np.stack([swing.rope, np.full(2, physics.ROPE_TOP)], axis=1)
    length = np.hypot(*(swing.position - tied).transpose(2, 0, 1))
    assert np.ptp(length, axis=0) == pytest.approx(0, abs=1e-9)
    orbit = _motions(_scene(("red", Shape.BALL), motion=Motion.ORBIT), seed)
    away = np.hypot(*(orbit.position[:, 0] - physics.ORBIT_CENTRE).T)
    assert np.ptp(away) == pytest.approx(0, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000))
def test_nothing_leaves_its_room(seed: int) -> None:
    scene = _drawn(seed)
    motions = _motions(scene, seed, rate=48)
    # Rooms end where things bounce off; what hangs or orbits has its centre in the picture.
    low, high = physics.wall_positions(scene)
    half = motions.size
    if scene.motion in (Motion.SWING, Motion.ORBIT):
        low, high, half = 0.0, 1.0, half * 0
    x, y = motions.position[..., 0], motions.position[..., 1]
    assert (x >= low + half - 1e-6).all()
    assert (x <= high - half + 1e-6).all()
    # A cube stands on its corner for a moment, and is higher then: never lower.
    assert (y <= motions.ground - motions.size + 1e-6).all()
    assert (y > 0).all()


def test_twins_that_bounce_are_numbered_from_left_to_right() -> None:
    scene = _scene(("green", Shape.BALL), ("green", Shape.BALL))
    for seed in range(20):
        x = _motions(scene, seed, rate=24).position[0, :, 0]
        assert x[0] < x[1]


@pytest.mark.parametrize("ground", list(Ground))
def test_sound_starts_at_the_contact_and_is_louder_for_faster_hits(ground: Ground) -> None:
    scene = Scene((Thing("red", Shape.BALL),), Motion.BOUNCE, ground, Time.DAY)
    motions = _motions(scene, 1, rate=24)
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
def test_the_envelope_rises_at_contacts_and_nowhere_else(seed: int) -> None:
    scene = _drawn(seed)
    motions = _motions(scene, seed, rate=24)
    still = physics.Motions(**{**motions.__dict__, "speed": motions.speed * 0})
    bands = sound.envelope(scene, still, seconds=3)
    rises = {int(hop) + 1 for hop in np.flatnonzero((np.diff(bands, axis=0) > 1e-6).any(axis=1))}
    hits = {int(contact.seconds * sound.HOPS_PER_SECOND) for contact in motions.contacts}
    assert rises <= hits
    # A hit while a louder one rings on may not be heard; the first one always is.
    assert not hits or min(hits) == 0 or min(hits) in rises


def test_training_never_draws_a_held_out_combination() -> None:
    rng = np.random.default_rng(0)
    assert not any(sample_scene(rng).held_out for _ in range(500))
    held_out = list(itertools.islice(held_out_scenes(0), 50))
    assert all(scene.held_out for scene in held_out)
    assert {len(scene.things) for scene in held_out} == {1, 2, 3}


def test_every_wording_is_read_back_as_its_scene() -> None:
    rng = np.random.default_rng(3)
    for _ in range(600):
        scene = sample_scene(rng, held_out=None)
        for text in (describe(scene, rng), plain_caption(scene)):
            read = parse_prompt(text)
            assert read.unknown == ()
            assert set(split_words(text)) <= set(VOCABULARY)
            requests = [
                ThingRequest(one.shape, one.colour, one.material, one.size) for one in scene.things
            ]
            assert sorted(read.things, key=repr) == sorted(requests, key=repr)
            assert read.camera == scene.camera
            assert read.motion == scene.motion
            assert read.ground in (None, scene.ground)
            assert read.time in (None, scene.time)


@pytest.mark.parametrize(
    ("text", "things", "unknown"),
    [
        ("Red balls BOUNCING!", [("red", "ball")] * 2, ()),
        ("a ball", [(None, "ball")], ()),
        ("a shiny red ball juggles", [("red", "ball")], ("shiny", "juggles")),
        ("red and blue cubes roll on ice", [("red", "cube"), ("blue", "cube")], ()),
        ("ein roter Ball", [(None, "ball")], ("ein", "roter")),
        ("赤いボール", [], ("赤いボール",)),
        ("", [], ()),
        (
            "a red ball, a blue ball, a red cube and a green cube",
            [("red", "ball"), ("blue", "ball"), ("red", "cube")],
            ("cube",),
        ),
    ],
)
def test_any_text_is_read_with_what_is_strange_set_aside(
    text: str, things: list[tuple[str | None, str]], unknown: tuple[str, ...]
) -> None:
    read = parse_prompt(text)
    assert [(thing.colour, thing.shape) for thing in read.things] == things
    assert read.unknown == unknown
    assert read.in_world == bool(things)


def test_captions_are_different_and_repeatable() -> None:
    texts = held_out_captions(3, 60)
    assert texts == held_out_captions(3, 60)
    assert len(set(texts)) == 60
    assert not set(captions(1, 30, things=1)) & set(held_out_captions(1, 30, things=1))
    assert all(colour in " ".join(captions(0, 200)) for colour in COLOURS)
