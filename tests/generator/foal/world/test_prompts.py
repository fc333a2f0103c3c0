"""Prompts of people: known words keep their meaning, synonyms count, others are reported."""

import csv
from pathlib import Path

import numpy as np
import pytest

import arena.shipped
from generator.foal.world.captions import describe, plain_caption
from generator.foal.world.edits import sample_edit
from generator.foal.world.prompts import parse_prompt
from generator.foal.world.rewriting import rewrite_prompt
from generator.foal.world.scenes import sample_scene
from generator.foal.world.vocabulary import MEANING, VOCABULARY, split_words
from generator.foal.world.wording import NEGATION, ONE, SYNONYMS

PROMPTS = Path(arena.shipped.__file__).parent / "demo" / "prompts.csv"
ORDINARY = "very slowly happy shiny that there table rubber nice again which down gently".split()


def test_captions_of_the_training_and_of_the_demo_are_kept() -> None:
    rng = np.random.default_rng(5)
    for _ in range(300):
        scene = sample_scene(rng, held_out=None)
        for text in (describe(scene, rng), plain_caption(scene), sample_edit(scene, rng).text):
            assert rewrite_prompt(text).text == text
    with PROMPTS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            assert rewrite_prompt(row["text"]).text == row["text"]


def test_added_words_change_nothing_and_are_reported() -> None:
    rng = np.random.default_rng(6)
    for _ in range(300):
        plain = describe(sample_scene(rng, held_out=None), rng)
        words = plain.split()
        added = [ORDINARY[int(rng.integers(len(ORDINARY)))] for _ in range(rng.integers(1, 4))]
        for word in added:
            words.insert(int(rng.integers(len(words) + 1)), word)
        asked, read = parse_prompt(plain), parse_prompt(" ".join(words))
        assert sorted(map(repr, read.objects)) == sorted(map(repr, asked.objects))
        for name in ("motion", "ground", "time", "camera"):
            assert getattr(read, name) == getattr(asked, name), words
        assert set(read.unknown) == set(added)
        rewritten = rewrite_prompt(" ".join(words))
        assert set(split_words(rewritten.text)) <= set(VOCABULARY)
        assert parse_prompt(rewritten.text).objects == read.objects


@pytest.mark.parametrize(
    ("text", "caption"),
    [
        ("one red ball falls and bounces", "a red ball bounces"),
        ("A single crimson sphere hops.", "a red ball bounces"),
        ("2 BLUE BOXES, sliding...", "two blue cubes slide"),
        ("a pair of green blocks jumped", "two green cubes bounce"),
        ("a trio of tiny spheres hopping on the lawn", "three small balls bounce on grass"),
        ("a red ball rolled along the beach at midnight", "a red ball rolls on sand at night"),
        ("a red ball jumps, then it rolls over ice", "a red ball rolls on ice"),
        (
            "a yellow box swaying above the meadow in sunshine",
            "a yellow cube swings over grass by day",
        ),
        ("two balls, one red and one blue, bounce", "a red ball and a blue ball bounce"),
        ("two cubes that are green orbit", "two green cubes orbit"),
        ("a ball that is red bounces", "a red ball bounces"),
        ("a red ball and a blue one roll", "a red ball and a blue ball roll"),
        ("a ball made of metal, big and purple, rolls", "a large purple metal ball rolls"),
        ("the red ball falls; the ball bounces on ice", "a red ball bounces on ice"),
        ("a dark blue ball bounces by day", "a blue ball bounces by day"),
        ("a red ball bounces on green grass", "a red ball bounces on grass"),
        ("a ball bounces on green grass", "a ball bounces on grass"),
        ("a red ball bounces on a wooden table", "a red ball bounces"),
        ("a red ball rolls to the left", "a red ball rolls"),
        (
            "a red ball rolls while the camera slowly moves left",
            "a red ball rolls the camera pans left",
        ),
        ("a red ball rolls, zooming slowly in", "a red ball rolls the camera zooms in"),
        ("no cube, only a red ball that bounces", "a red ball bounces"),
        ("a red ball bounces without a blue cube", "a red ball bounces"),
        ("a red ball bounces for 3 seconds", "a red ball bounces"),
        ("3D video of a red ball bouncing", "a red ball bounces"),
        ("make a red ball bounce on sand", "a red ball bounces on sand"),
        ("a red ball\u2019s bouncing \u2014 on \u201cgrass\u201d", "a red ball bounces on grass"),
        ("ｒｅｄ ball bouncing on the snow-covered field", "a red ball bounces on ice"),
        ("a beach ball and an ice cube collide", "a ball and a cube collide"),
        ("a red ball hits the sand", "a red ball bounces on sand"),
        ("four red balls roll", "three red balls roll"),
        ("please make the red sphere blue", "make the red ball blue"),
        ("get rid of the tiny green box", "remove the small green cube"),
        ("recolor the box yellow", "make the cube yellow"),
        ("turn the red orb into wood now", "make the red ball wooden"),
        ("make the whole scene darker", "make it night"),
    ],
)
def test_ordinary_wordings_are_read_as_a_caption(text: str, caption: str) -> None:
    assert rewrite_prompt(text).text == caption


def test_what_the_world_cannot_show_is_reported() -> None:
    assert rewrite_prompt("four happy red balls roll on a table").unknown == (
        "four",
        "happy",
        "table",
    )
    assert rewrite_prompt("a cat sleeps").unknown == ("cat", "sleeps")
    assert rewrite_prompt("please make the red ball blue").unknown == ("please",)


def test_every_synonym_means_a_known_word() -> None:
    assert set(SYNONYMS.values()) <= {*VOCABULARY, ONE, NEGATION}
    assert not set(SYNONYMS) & set(VOCABULARY)
    assert {SYNONYMS[word] for word in ("dropped", "leaping", "boxes")} == {"bounce", "cubes"}
    assert MEANING[SYNONYMS["spun"]] == "roll"
