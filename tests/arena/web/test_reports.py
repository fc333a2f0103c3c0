"""A voter whose clip does not play gets another battle; damaged clips are withheld."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from source_arena import API, TRACK, client_of, make_source_arena
from sqlalchemy import select

from arena.catalog.withholding import list_withheld
from arena.context import Arena
from arena.models import Battle, Clip


@pytest.fixture
def arena(tmp_path: Path) -> Iterator[Arena]:
    opened = make_source_arena(tmp_path)
    yield opened
    opened.database.dispose()


def shown_clip(arena: Arena, token: str) -> Clip:
    with arena.database.reading() as session:
        return session.scalars(select(Battle).where(Battle.token == token)).one().clip_a


def test_a_reported_battle_is_void_and_the_next_one_opens(arena: Arena) -> None:
    voter = client_of(arena)
    battle = voter.post(f"{API}/battles", json={"track": TRACK}).json()
    broken = f"{API}/battles/{battle['token']}/broken"
    reported = voter.post(broken, json={"side": "a", "reason": "stalled"})
    assert reported.status_code == 200
    assert reported.json()["next"]["token"] == battle["next"]["token"]
    late = voter.post(f"{API}/battles/{battle['token']}/vote", json={"choice": "a"})
    assert late.status_code == 410
    assert voter.post(f"{API}/battles", json={"track": TRACK}).json() == reported.json()["next"]
    assert voter.post(broken, json={"side": "a"}).json() == reported.json()


def test_a_damaged_clip_is_in_no_battle_after_one_report(arena: Arena) -> None:
    voter, other = client_of(arena), client_of(arena)
    battle = voter.post(f"{API}/battles", json={"track": TRACK}).json()
    clip = shown_clip(arena, battle["token"])
    arena.store.delete(str(clip.rendition_path))
    voter.post(f"{API}/battles/{battle['token']}/broken", json={"side": "a"})
    with arena.database.reading() as session:
        assert [row.clip_id for row in list_withheld(session)] == [clip.id]
    assert other.post(f"{API}/battles", json={"track": TRACK}).status_code == 201
