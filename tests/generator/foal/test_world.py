"""The world: deterministic, captioned, heard where it hits, split from its held-out part."""

import itertools

import numpy as np
import pytest

from generator.foal import physics, render, sound
from generator.foal.captions import VOCABULARY, describe, parse_prompt, plain_caption, split_words
from generator.foal.scenes import COLOURS, Ground, Motion, Scene, Shape, Thing, Time, draw_scene
from generator.foal.world import captions, held_out_captions, held_out_scenes, make_clip


def _scene(*things: tuple[str, Shape], motion: Motion = Motion.BOUNCE) -> Scene:
    return Scene(tuple(Thing(*thing) for thing in things), motion, Ground.GRASS, Time.DAY)


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


def test_boxes_paint_the_same_as_all_pixels() -> None:
    clip = make_clip(2)
    size, frames = 48, np.arange(0, 72, 9)
    centres = render.pixel_centres(size, size).reshape(1, -1, 2)
    empty = render.background(clip.scene.ground, clip.scene.time, size, size).reshape(1, -1, 3)
    things = render.looks(clip.scene, clip.motions, frames)
    whole = render.paint(np.repeat(empty, len(frames), 0), centres, things, pixel=1 / size)
    boxed = clip.frames(height=size, width=size)[frames]
    assert np.abs(boxed.reshape(whole.shape) - whole).max() < 2e-3


def test_a_flight_falls_with_gravity_and_hits_are_on_the_ground() -> None:
    scene = _scene(("red", Shape.BALL))
    motions = physics.simulate(scene, np.random.default_rng(0), seconds=3, rate=480)
    first = motions.contacts[0].seconds
    flight = motions.position[: int(first * 480) - 1, 0, 1]
    assert np.diff(flight, 2).mean() * 480**2 == pytest.approx(physics.GRAVITY, rel=1e-3)
    lowest = motions.position[:, 0, 1].max()
    assert lowest == pytest.approx(motions.ground[0] - motions.size[0], abs=2e-3)


def test_a_rolling_cube_lands_flat_on_the_ground_with_every_hit() -> None:
    scene = _scene(("blue", Shape.CUBE), motion=Motion.ROLL)
    motions = physics.simulate(scene, np.random.default_rng(2), seconds=3, rate=480)
    for contact in motions.contacts:
        at = round(contact.seconds * 480)
        if at < len(motions.angle):
            quarter = motions.angle[at, 0] / (np.pi / 2)
            assert abs(quarter - round(quarter)) < 0.03
    low = motions.position[:, 0, 1].max()
    assert low == pytest.approx(motions.ground[0] - motions.size[0], abs=2e-3)


def test_things_stay_in_the_picture_and_twins_never_swap() -> None:
    for seed in range(40):
        scene = _scene(("green", Shape.BALL), ("green", Shape.BALL))
        motions = physics.simulate(scene, np.random.default_rng(seed), seconds=3, rate=24)
        x = motions.position[..., 0]
        assert (x >= motions.size - 1e-6).all()
        assert (x <= 1 - motions.size + 1e-6).all()
        assert (x[:, 1] > x[:, 0]).all()


@pytest.mark.parametrize("ground", list(Ground))
def test_sound_starts_at_the_contact_and_is_louder_for_faster_hits(ground: Ground) -> None:
    scene = Scene((Thing("red", Shape.BALL),), Motion.BOUNCE, ground, Time.DAY)
    motions = physics.simulate(scene, np.random.default_rng(1), seconds=3, rate=24)
    bands = sound.envelope(scene, motions, seconds=3)
    first = motions.contacts[0]
    hop = int(first.seconds * sound.HOPS_PER_SECOND)
    assert bands[:hop].max() == 0
    assert bands[hop].max() > 0.3
    wave = sound.play(bands)
    silent = int(hop / sound.HOPS_PER_SECOND * sound.SAMPLE_RATE)
    assert np.abs(wave[:silent]).max() == 0
    assert np.abs(wave[silent : silent + 960]).max() > 0.1
    slow = physics.Motions(**{**motions.__dict__, "contacts": (physics.Contact(1.0, 0, 0.3),)})
    assert sound.envelope(scene, slow, seconds=3).max() < bands.max()


def test_training_never_draws_a_held_out_combination() -> None:
    rng = np.random.default_rng(0)
    assert not any(draw_scene(rng).held_out for _ in range(500))
    held_out = list(itertools.islice(held_out_scenes(0), 50))
    assert all(scene.held_out for scene in held_out)
    assert {len(scene.things) for scene in held_out} == {1, 2}


def test_every_wording_is_read_back_as_its_scene() -> None:
    rng = np.random.default_rng(3)
    for _ in range(600):
        scene = draw_scene(rng, held_out=None)
        for text in (describe(scene, rng), plain_caption(scene)):
            read = parse_prompt(text)
            assert read.unknown == ()
            assert set(split_words(text)) <= set(VOCABULARY)
            wishes = sorted((thing.colour or "", thing.shape) for thing in read.things)
            assert wishes == sorted((thing.colour, thing.shape) for thing in scene.things)
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
            "a red ball, a blue ball and a green cube",
            [("red", "ball"), ("blue", "ball")],
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
