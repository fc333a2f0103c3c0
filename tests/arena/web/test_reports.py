"""A voter whose clip does not play gets another battle; files that are damaged are withheld."""

import logging
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from source_arena import API, TRACK, client_of, make_source_arena
from sqlalchemy import select
from starlette.testclient import TestClient

from arena.catalog.withholding import faulty_sources, list_withheld, restore_clip, restore_intact
from arena.context import Arena, utc_now
from arena.models import Battle, Clip, WithheldCause, copy_seed
from arena.status import read_status
from arena.voting import reports


@pytest.fixture
def arena(tmp_path: Path) -> Iterator[Arena]:
    opened = make_source_arena(tmp_path)
    yield opened
    opened.database.dispose()


def ask(voter: TestClient) -> httpx.Response:
    return voter.post(f"{API}/battles", json={"track": TRACK})


def report(voter: TestClient, token: str, side: str = "a", **body: object) -> httpx.Response:
    return voter.post(f"{API}/battles/{token}/broken", json={"side": side, **body})


def vote(voter: TestClient, token: str) -> httpx.Response:
    return voter.post(f"{API}/battles/{token}/vote", json={"choice": "a"})


def clips_of(arena: Arena, token: str) -> tuple[Clip, Clip]:
    with arena.database.reading() as session:
        battle = session.scalars(select(Battle).where(Battle.token == token)).one()
        return battle.clip_a, battle.clip_b


def withheld(arena: Arena) -> dict[int, WithheldCause]:
    with arena.database.reading() as session:
        return {row.clip_id: row.cause for row in list_withheld(session)}


def full_path(arena: Arena, path: str | None) -> Path:
    return Path(arena.store.root) / str(path)


def ask_for_clip(arena: Arena, clip_id: int) -> tuple[TestClient, str]:
    """Return a new voter whose open battle shows a clip on the left, and the battle's token."""
    while True:
        voter = client_of(arena)
        token = str(ask(voter).json()["token"])
        if clips_of(arena, token)[0].id == clip_id:
            return voter, token


def test_a_reported_battle_is_void_and_the_next_one_opens(arena: Arena) -> None:
    voter = client_of(arena)
    battle = ask(voter).json()
    reported = report(voter, battle["token"], reason="stalled")
    assert reported.status_code == 200
    assert reported.json()["next"]["token"] == battle["next"]["token"]
    late = vote(voter, battle["token"])
    assert (late.status_code, late.json()["type"]) == (410, "expired")
    assert ask(voter).json() == reported.json()["next"]
    assert report(voter, battle["token"]).json() == reported.json()
    assert voter.get(battle["a"]["video"]).status_code == 404
    assert withheld(arena) == {}


def test_reports_of_unknown_foreign_answered_and_malformed_battles_are_refused(
    arena: Arena,
) -> None:
    voter = client_of(arena)
    token = ask(voter).json()["token"]
    unknown = report(voter, "x" * 22)
    foreign = report(client_of(arena), token)
    assert (unknown.status_code, foreign.status_code) == (404, 404)
    assert unknown.content == foreign.content
    for body in ({"side": "c"}, {"side": "a", "reason": "x" * 201}, {}):
        answer = voter.post(f"{API}/battles/{token}/broken", json=body)
        assert (answer.status_code, answer.json()["type"]) == (422, "malformed")
    assert vote(voter, token).status_code == 200
    assert report(voter, token).status_code == 409


def test_a_prefetched_battle_can_be_reported_before_it_opens(arena: Arena) -> None:
    voter = client_of(arena)
    battle = ask(voter).json()
    answer = report(voter, battle["next"]["token"], "b").json()
    assert answer["next"]["token"] == battle["token"]
    assert answer["next"]["next"]["token"] not in (battle["token"], battle["next"]["token"])


@pytest.mark.parametrize("damage", ["missing", "truncated", "replaced"])
def test_a_damaged_clip_is_in_no_battle_after_one_report(
    arena: Arena, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    voter = client_of(arena)
    token = ask(voter).json()["token"]
    clip = clips_of(arena, token)[1]
    path = full_path(arena, clip.rendition_path)
    data = path.read_bytes()
    other, other_token = ask_for_clip(arena, clip.id)
    match damage:
        case "missing":
            path.unlink()
        case "truncated":
            path.write_bytes(data[:-1])
        case "replaced":
            path.write_bytes(data[:-1] + b"!")
    with caplog.at_level(logging.WARNING):
        assert report(voter, token, "b").status_code == 200
    assert withheld(arena) == {clip.id: WithheldCause.DAMAGED}
    assert len([text for text in caplog.messages if f"Clip {clip.id} " in text]) == 1
    # Another voter's open battle that shows it is replaced, and accepts no vote.
    assert vote(other, other_token).status_code == 410
    upcoming = ask(other).json()
    while upcoming is not None:
        assert clip.id not in {shown.id for shown in clips_of(arena, upcoming["token"])}
        upcoming = vote(other, upcoming["token"]).json()["next"]


def test_a_clip_that_the_server_finds_damaged_is_withheld_at_once(arena: Arena) -> None:
    voter = client_of(arena)
    battle = ask(voter).json()
    left, right = clips_of(arena, battle["token"])
    full_path(arena, left.rendition_path).unlink()
    full_path(arena, right.rendition_path).write_bytes(b"short")
    for side in ("a", "b"):
        answer = voter.get(battle[side]["video"], headers={"Range": "bytes=0-9"})
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
    assert left.id in withheld(arena)
    assert ask(voter).json()["token"] != battle["token"]


def test_an_intact_clip_is_withheld_after_reports_from_two_voters(arena: Arena) -> None:
    voter = client_of(arena)
    token = ask(voter).json()["token"]
    clip = clips_of(arena, token)[0]
    report(voter, token, reason="no decoder\nfor it")
    assert withheld(arena) == {}
    second, second_token = ask_for_clip(arena, clip.id)
    report(second, second_token)
    assert withheld(arena) == {clip.id: WithheldCause.REPORTED}
    with arena.database.writing() as session:
        assert "\n" not in list_withheld(session)[0].reason
        assert restore_clip(session, clip.id)
        assert not restore_clip(session, clip.id)
    assert withheld(arena) == {}


def test_a_copy_that_is_damaged_on_purpose_is_not_withheld_after_reports(arena: Arena) -> None:
    """Otherwise two voters could put an end to honey pairs, and honest ones would."""
    voter = client_of(arena)
    token = ask(voter).json()["token"]
    clip_id = clips_of(arena, token)[0].id
    second, second_token = ask_for_clip(arena, clip_id)
    with arena.database.writing() as session:
        clip = session.get_one(Clip, clip_id)
        clip.damage, clip.seed = "blocks", copy_seed(clip.seed)
    for each, shown in ((voter, token), (second, second_token)):
        assert report(each, shown).status_code == 200
    assert withheld(arena) == {}


def test_reports_cannot_empty_a_track(arena: Arena) -> None:
    for clip_id in [clip.id for clip in _all_clips(arena)][:4]:
        for _ in range(reports.WITHHELD_AFTER):
            if clip_id not in withheld(arena):
                voter, token = ask_for_clip(arena, clip_id)
                report(voter, token)
    assert len(withheld(arena)) == reports.MIN_REPORTED
    assert ask(client_of(arena)).status_code == 201


def _all_clips(arena: Arena) -> list[Clip]:
    with arena.database.reading() as session:
        return list(session.scalars(select(Clip)))


def test_reports_of_intact_clips_are_limited_like_skips(tmp_path: Path) -> None:
    limited = make_source_arena(tmp_path, rate_limit="30/minute")
    voter = client_of(limited)
    token = ask(voter).json()["token"]
    for number in range(6):
        answer = report(voter, token)
        if number < 5:
            token = answer.json()["next"]["token"]
    assert (answer.status_code, answer.json()["type"]) == (429, "too-many")
    assert int(answer.headers["retry-after"]) > 0
    # A clip that is damaged is not the voter's choice.
    full_path(limited, clips_of(limited, token)[0].rendition_path).unlink()
    assert report(voter, token).status_code == 200
    limited.database.dispose()


def test_a_source_that_is_damaged_takes_its_prompt_out_of_the_track(arena: Arena) -> None:
    voter = client_of(arena)
    battle = ask(voter).json()
    prompt_id = battle["prompt"]["id"]
    (path,) = [
        path
        for path in (Path(arena.store.root) / "sources").rglob("*.png")
        if path.read_bytes() == voter.get(battle["prompt"]["source"]).content
    ]
    data = path.read_bytes()
    path.write_bytes(data[:-1])
    upcoming = report(voter, battle["token"], "source").json()["next"]
    with arena.database.reading() as session:
        assert list(faulty_sources(session)) == [prompt_id]
    (note,) = read_status(arena, now=utc_now()).notes
    assert prompt_id in note
    shown = set()
    while upcoming is not None:
        shown.add(upcoming["prompt"]["id"])
        upcoming = vote(voter, upcoming["token"]).json()["next"]
    assert len(shown) == 2
    assert prompt_id not in shown
    path.write_bytes(data)
    assert len(restore_intact(arena.database, arena.store)) == 1
    assert ask(voter).json()["prompt"]["id"] == prompt_id


def test_what_looked_damaged_for_a_while_is_restored(arena: Arena) -> None:
    voter = client_of(arena)
    token = ask(voter).json()["token"]
    clip = clips_of(arena, token)[0]
    path = full_path(arena, clip.rendition_path)
    path.rename(path.with_suffix(".away"))
    report(voter, token)
    assert restore_intact(arena.database, arena.store) == []
    path.with_suffix(".away").rename(path)
    assert restore_intact(arena.database, arena.store) != []
    assert withheld(arena) == {}


def test_after_the_last_pair_a_voter_learns_what_it_contributed(arena: Arena) -> None:
    voter = client_of(arena)
    upcoming = ask(voter).json()
    for number in range(9):
        choice = "skip" if number == 0 else "b"
        path = f"{API}/battles/{upcoming['token']}/vote"
        upcoming = voter.post(path, json={"choice": choice}).json()["next"]
    assert upcoming is None
    part = {"track": TRACK, "votes": 8, "skips": 1, "picture_only": 0}
    end = ask(voter)
    assert (end.status_code, end.json()["type"]) == (409, "no-pair")
    assert end.json()["contributed"] == [part]
    me = voter.get(f"{API}/me").json()
    assert me == {"votes": 8, "skips": 1, "choices": {"b": 8, "skip": 1}, "tracks": [part]}
