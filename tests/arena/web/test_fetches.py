"""The server knows which clips it sent before a vote, over HTTP."""

import time
from pathlib import Path

import pytest
from source_arena import API, TRACK, client_of, make_source_arena

from arena.voting import ballots
from arena.web.routes import clips

WATCHED = {"a": 1000, "b": 1000}


@pytest.mark.parametrize("in_parts", [False, True], ids=["at once", "in parts"])
@pytest.mark.parametrize(("fetched", "checked"), [("", False), ("a", False), ("ab", True)])
def test_a_vote_is_checked_only_if_both_clips_were_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fetched: str, checked: bool, in_parts: bool
) -> None:
    if in_parts:  # as a large clip is
        monkeypatch.setattr(clips, "WHOLE_BYTES", 0)
        monkeypatch.setattr(clips, "CHUNK_BYTES", 7000)
    arena = make_source_arena(tmp_path, rate_limit="30/minute")
    voter = client_of(arena)
    battle = voter.post(f"{API}/battles", json={"track": TRACK}).json()
    for side in fetched:
        for range_ in ("bytes=0-39999", "bytes=40000-"):
            part = voter.get(battle[side]["video"], headers={"Range": range_})
            assert (part.status_code, len(part.content)) == (206, 40_000)
    time.sleep(battle["min_watch_ms"] / 1000)
    body = {"choice": "a", "watched_ms": WATCHED}
    cast = voter.post(f"{API}/battles/{battle['token']}/vote", json=body)
    assert (cast.status_code, cast.json()["status"]) == (200, "counted")
    with arena.database.reading() as session:
        assert ballots.find_receipt(session, cast.json()["receipt"]).watch_checked is checked
    arena.database.dispose()
