"""Seeds cannot be guessed, are the same for all entrants, and stay secret until the close."""

from pathlib import Path

import pandas as pd
from sealed_arena import signer_of
from sqlalchemy import select

from arena.catalog.entrants import add_entrant
from arena.catalog.prompts import list_prompts
from arena.catalog.tracks import add_track, find_track
from arena.models import Clip, ClipStatus
from arena.production import find_pending
from arena.production.seeds import generation_seed
from arena.release import export_release
from arena.settings import Settings, make_home
from small_arena import (
    NAMES,
    PROMPTS,
    START,
    TRACK,
    entrant_entry,
    fill_small_arena,
    new_database,
    track_entry,
)

ARGUMENTS = {"track": TRACK, "prompt_id": "p-1", "number": 0}


def test_a_seed_depends_on_key_track_prompt_and_number() -> None:
    seed = generation_seed("key", **ARGUMENTS)
    assert seed == generation_seed("key", **ARGUMENTS)
    assert 0 <= seed < 2**31
    others = [{"track": "other"}, {"prompt_id": "p-2"}, {"number": 1}]
    seeds = {seed, generation_seed("other key", **ARGUMENTS)}
    seeds |= {generation_seed("key", **(ARGUMENTS | other)) for other in others}
    assert len(seeds) == 5


def test_two_arenas_have_different_seeds(tmp_path: Path) -> None:
    keys = set()
    for name in ("one", "two"):
        settings = Settings(home=tmp_path / name)
        make_home(settings)
        assert settings.seed_key() not in settings.signing_key()
        keys.add(settings.seed_key())
    assert len(keys) == 2


def test_all_entrants_get_the_same_seeds_and_existing_clips_are_not_made_again(
    tmp_path: Path,
) -> None:
    database = new_database(tmp_path)
    fill_small_arena(database)  # its clips have numbers, as those of earlier versions
    with database.writing() as session:
        assert find_pending(session, seed_key="key") == []
        track = add_track(session, track_entry("more", seeds=2), now=START).track
        for name in NAMES:
            tracks = (TRACK, f"{TRACK}-audio", "more")
            add_entrant(session, entrant_entry(name, tracks=tracks), now=START)
        for prompt in list_prompts(session):
            prompt.tracks.append(track)
        session.flush()
        pending = find_pending(session, seed_key="key")
    assert len(pending) == len(NAMES) * len(PROMPTS) * 2
    seeds = {(item.prompt_id, item.seed): set() for item in pending}
    for item in pending:
        seeds[item.prompt_id, item.seed].add(item.request.seed)
    assert all(len(each) == 1 for each in seeds.values())
    assert len(set.union(*seeds.values())) == len(PROMPTS) * 2


def test_a_release_gives_seeds_only_after_the_close(tmp_path: Path) -> None:
    database = new_database(tmp_path)
    fill_small_arena(database)
    provenance = {"backend": "diffusers", "seed": 1234567, "frames_sha256": "ab", "steps": 8}
    with database.writing() as session:
        for clip in session.scalars(select(Clip).where(Clip.status == ClipStatus.READY)):
            clip.provenance = provenance

    def exported(name: str) -> pd.DataFrame:
        folder = tmp_path / name
        signer = signer_of(database)
        export_release(database, folder, signer=signer, track=TRACK, formats=("csv",), now=START)
        assert ("1234567" in (folder / "clips.csv").read_text()) == (name == "closed")
        return pd.read_csv(folder / "clips.csv")

    assert exported("open")["seed"].isna().all()
    with database.writing() as session:
        find_track(session, TRACK).closed_at = START
    clips = exported("closed")
    assert set(clips["seed"]) == {1234567}
    assert set(clips["number"]) == {0}
    assert clips["provenance"].str.contains("frames_sha256").all()
