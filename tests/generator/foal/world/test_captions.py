"""Captions: every wording is parsed back into its scene, and any text is accepted."""

import numpy as np
import pytest

from generator.foal.world.captions import describe, plain_caption
from generator.foal.world.prompts import ObjectRequest, parse_prompt
from generator.foal.world.scenes import sample_scene
from generator.foal.world.vocabulary import VOCABULARY, split_words


def test_every_wording_is_parsed_back_into_its_scene() -> None:
    rng = np.random.default_rng(3)
    for _ in range(600):
        scene = sample_scene(rng, held_out=None)
        for text in (describe(scene, rng), plain_caption(scene)):
            read = parse_prompt(text)
            assert read.unknown == ()
            assert set(split_words(text)) <= set(VOCABULARY)
            requests = [
                ObjectRequest(one.shape, one.colour, one.material, one.size)
                for one in scene.objects
            ]
            assert sorted(read.objects, key=repr) == sorted(requests, key=repr)
            assert read.camera == scene.camera
            assert read.motion == scene.motion
            complete = text == plain_caption(scene)  # other wordings may omit ground and time
            assert read.ground in ((scene.ground,) if complete else (None, scene.ground))
            assert read.time in ((scene.time,) if complete else (None, scene.time))


@pytest.mark.parametrize(
    ("text", "objects", "unknown"),
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
def test_unknown_words_of_any_text_are_reported(
    text: str, objects: list[tuple[str | None, str]], unknown: tuple[str, ...]
) -> None:
    read = parse_prompt(text)
    assert [(obj.colour, obj.shape) for obj in read.objects] == objects
    assert read.unknown == unknown
    assert read.in_world == bool(objects)
