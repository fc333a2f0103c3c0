"""Battles of tracks with sources show the source of their prompt."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from source_arena import API, SOURCE_SIZE, TRACK, client_of, image_bytes, make_source_arena

from arena.context import Arena


@pytest.fixture
def arena(tmp_path: Path) -> Iterator[Arena]:
    opened = make_source_arena(tmp_path)
    yield opened
    opened.database.dispose()


def test_a_battle_and_the_one_after_it_show_the_sources_of_their_prompts(arena: Arena) -> None:
    voter = client_of(arena)
    battle = voter.post(f"{API}/battles", json={"track": TRACK}).json()
    for shown in (battle, battle["next"]):
        prompt = shown["prompt"]
        assert prompt["source_type"] == "image"
        assert (prompt["source_width"], prompt["source_height"]) == SOURCE_SIZE
        expected = image_bytes(prompt["id"])
        whole = voter.get(prompt["source"])
        assert (whole.status_code, whole.content) == (200, expected)
        assert whole.headers["content-type"] == "image/png"
        part = voter.get(prompt["source"], headers={"Range": "bytes=2-5"})
        assert (part.status_code, part.content) == (206, expected[2:6])
        assert part.headers["content-range"] == f"bytes 2-5/{len(expected)}"


def test_a_source_is_for_its_voter_only(arena: Arena) -> None:
    battle = client_of(arena).post(f"{API}/battles", json={"track": TRACK}).json()
    assert client_of(arena).get(battle["prompt"]["source"]).status_code == 404
