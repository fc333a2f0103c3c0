"""Each track gets a few damaged copies, spread over entrants and prompts; served like any clip."""

import hashlib
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from source_arena import client_of
from sqlalchemy import select
from typer.testing import CliRunner

from arena import production
from arena.catalog.clips import list_clips
from arena.catalog.entrant_details import describe_entrant
from arena.catalog.entrants import list_entrants
from arena.catalog.tracks import list_tracks
from arena.catalog.withholding import withhold_clip
from arena.commands.cli import app
from arena.commands.generating import make_honey_copies
from arena.context import Arena, open_arena, utc_now
from arena.integrity import check_files
from arena.models import Battle, Clip, Prompt, WithheldCause
from arena.production.honey import FEWEST
from arena.status import read_status
from playable import TRACK, make_playable_arena, settings_for


@pytest.fixture
def arena(tmp_path: Path) -> Arena:
    return make_playable_arena(tmp_path)


def copies_of(arena: Arena) -> list[Clip]:
    with arena.database.reading() as session:
        query = select(Clip).where(Clip.damage.is_not(None)).order_by(Clip.id)
        return list(session.scalars(query))


def test_copies_are_made_once_spread_and_replaced_when_a_clip_is_retired(arena: Arena) -> None:
    make_honey_copies(arena)
    made = copies_of(arena)
    assert len(made) == FEWEST
    assert max(Counter(copy.entrant_id for copy in made).values()) == 2  # of three entrants
    assert len({copy.prompt_id for copy in made}) == FEWEST
    with arena.database.reading() as session:
        sizes = {track.name: track.bytes for track in list_tracks(session)}
    for copy in made:
        data = arena.store.read(str(copy.rendition_path))
        assert len(data) == sizes[TRACK]
        assert hashlib.sha256(data).hexdigest() == copy.sha256
    make_honey_copies(arena)
    assert [copy.id for copy in copies_of(arena)] == [copy.id for copy in made]

    first = made[0]
    with arena.database.writing() as session:
        query = select(Clip).where(Clip.sha256 == first.master_sha256)
        original = session.scalars(query).one()
        cause = WithheldCause.OPERATOR
        withhold_clip(session, original, cause=cause, reason="a logo", now=utc_now())
    make_honey_copies(arena)
    (new,) = copies_of(arena)[FEWEST:]
    assert new.master_sha256 != first.master_sha256


def test_copies_are_no_clips_of_their_entrants(arena: Arena) -> None:
    def facts() -> object:
        with arena.database.reading() as session:
            described = [
                describe_entrant(session, entrant, identity=True)
                for entrant in list_entrants(session)
            ]
        status = next(
            each for each in read_status(arena, now=utc_now()).tracks if each.name == TRACK
        )
        return described, status

    before = facts()
    make_honey_copies(arena)
    assert facts() == before
    with arena.database.reading() as session:
        pending = production.find_pending(session, seed_key=arena.settings.seed_key())
        assert TRACK not in {item.request.track.name for item in pending}
        listed = [clip for clip in list_clips(session) if clip.reason is not None]
    assert len(listed) == FEWEST
    assert all(re.fullmatch(r"a damaged copy \(\w+\)", str(clip.reason)) for clip in listed)
    assert {clip.seed for clip in listed} == {0}
    assert all(checked.damage is None for checked in check_files(arena.database, arena.store))


def test_held_out_prompts_have_no_copies(arena: Arena) -> None:
    with arena.database.writing() as session:
        for prompt in session.scalars(select(Prompt).where(Prompt.id != "p-1")):
            prompt.held_out = True
    make_honey_copies(arena)
    assert {copy.prompt_id for copy in copies_of(arena)} == {"p-1"}


def test_importing_clips_makes_copies_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_playable_arena(tmp_path).database.dispose()
    monkeypatch.setenv("ARENA_HOME", str(tmp_path))
    manifest = tmp_path / "again.csv"
    video = next((tmp_path / "videos").iterdir())
    manifest.write_text(f"entrant,prompt_id,track,path\nalder,p-1,{TRACK},{video}\n")
    result = CliRunner().invoke(app, ["import", str(manifest)])
    assert f"damaged copies of {FEWEST} clips" in result.output


def make_next_honey(arena: Arena, *, copy_on: str) -> None:
    """Turn the battle that is prefetched into a honey pair."""
    copy = copies_of(arena)[0]
    with arena.database.writing() as session:
        query = select(Clip.id).where(Clip.sha256 == copy.master_sha256)
        clip_id = session.scalars(query).one()
        battle = session.scalars(select(Battle).where(Battle.state == "ahead")).one()
        sides = (copy.id, clip_id) if copy_on == "a" else (clip_id, copy.id)
        battle.clip_a_id, battle.clip_b_id = sides
        battle.prompt_id, battle.sampler = copy.prompt_id, "honey"


def test_a_honey_pair_is_served_like_any_other_and_reported_after_the_vote(arena: Arena) -> None:
    make_honey_copies(arena)
    api = "/api/v1/battles"

    def clips_of(battle: dict[str, Any]) -> list[tuple[str, list[tuple[str, str]], int]]:
        found = []
        for side in ("a", "b"):
            path = battle[side]["video"]
            answer = voter.get(path)
            assert answer.status_code == 200
            headers = [pair for pair in answer.headers.items() if pair[0] != "date"]
            found.append((re.sub(r"[\w-]", "x", path), sorted(headers), len(answer.content)))
        return found

    voter = client_of(open_arena(settings_for(arena.settings.home, rate_limit="off")))
    pair = voter.post(api, json={"track": TRACK}).json()
    usual = clips_of(pair)
    for side in ("a", "b"):
        make_next_honey(arena, copy_on=side)
        cast = voter.post(f"{api}/{pair['token']}/vote", json={"choice": "a"}).json()
        honey = cast["next"]
        assert honey.keys() == pair.keys()
        assert clips_of(honey) == usual
        cast = voter.post(f"{api}/{honey['token']}/vote", json={"choice": "b"}).json()
        assert cast["reveal"] is None
        assert (cast["status"], cast["hold"]["rule"]) == ("held", "honey-pair")
        receipt = voter.get(f"/api/v1/receipts/{cast['receipt']}").json()
        assert (receipt["status"], receipt["hold"]) == ("held", cast["hold"])
        assert voter.delete(f"{api}/{honey['token']}/vote").status_code == 409
        pair = cast["next"]
