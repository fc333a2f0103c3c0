"""A release states the arena's name, its contact, and a licence only if somebody stated one."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from released_arena import release

from arena.catalog.prompts import import_prompts
from arena.catalog.schemas import read_prompts
from arena.catalog.tracks import add_track
from arena.database import Database
from arena.release.verify import verify_release
from arena.shipped import Collection, prompt_file, shipped_prompts
from arena.site import UNNAMED
from small_arena import START, new_database, track_entry

NAMED = replace(UNNAMED, title="Lab <Arena>", contact="arena@example.org", licence="CC0-1.0")


def documents(folder: Path) -> tuple[str, dict[str, Any]]:
    readme = (folder / "README.md").read_text(encoding="utf-8")
    return readme, json.loads((folder / "croissant.json").read_text(encoding="utf-8"))


def test_a_release_with_own_prompts_states_no_licence(
    arena_database: Database, tmp_path: Path
) -> None:
    readme, metadata = documents(release(arena_database, tmp_path / "release"))
    assert "# Votes of Hippodrome, a blind arena" in readme
    assert "has stated no licence" in readme
    assert "CC-BY" not in readme
    assert "license" not in metadata


def test_a_release_of_shipped_prompts_is_under_their_licence(tmp_path: Path) -> None:
    opened = new_database(tmp_path)
    with opened.writing() as session:
        add_track(session, track_entry(), now=START)
        prompts = [
            each for each in read_prompts(prompt_file(Collection.STANDARD)) if not each.tracks
        ]
        kept = [each.model_copy(update={"source": None, "tracks": ()}) for each in prompts]
        import_prompts(session, kept[:2], now=START)
    readme, metadata = documents(release(opened, tmp_path / "release"))
    opened.dispose()
    assert "CC-BY-4.0 (https://creativecommons.org/licenses/by/4.0/)" in readme
    assert metadata["license"] == "https://creativecommons.org/licenses/by/4.0/"


def test_the_operators_name_contact_and_licence_are_stated(
    arena_database: Database, tmp_path: Path
) -> None:
    folder = release(arena_database, tmp_path / "release", site=NAMED)
    readme, metadata = documents(folder)
    assert "# Votes of Lab &lt;Arena&gt;, a blind arena" in readme
    assert "Contact: arena@example.org." in readme
    assert metadata["license"] == "https://creativecommons.org/publicdomain/zero/1.0/"
    assert metadata["creator"] == {
        "@type": "Organization",
        "name": "Lab <Arena>",
        "email": "arena@example.org",
    }
    assert metadata["citeAs"].startswith("Votes of Lab <Arena> up to vote")
    verify_release(folder)


def test_the_shipped_prompts_are_those_of_both_collections() -> None:
    for collection in Collection:
        for prompt in read_prompts(prompt_file(collection)):
            assert (prompt.id, prompt.text) in shipped_prompts()
