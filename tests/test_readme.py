"""The README's recipes work: each block of commands is run, in order, as a shell would run it."""

import os
import re
import subprocess
import sys
from pathlib import Path

from forked_arena import arena_program

from arena import database
from arena.catalog.prompts import import_prompts
from arena.catalog.schemas import PromptEntry
from arena.catalog.tracks import add_track
from arena.database import Database
from arena.settings import Settings, make_home
from generator.media import encode_master
from playable import bar_clip
from small_arena import START, track_entry

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
DEMO_PROMPTS = ("world-01", "world-02")

# `make` and `arena serve` would take long or not end: their command lines are checked instead.
MAKE = f"""#!/bin/sh
exec {{make}} --directory {ROOT} --dry-run "$@"
"""
SERVE = """
arena() {
  if [ "$1" = serve ]; then set -- "$@" --help; fi
  command arena "$@"
}
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def make_demo(home: Path) -> None:
    """An arena as small as possible in the place of the demo's."""
    settings = Settings(home=home)
    make_home(settings)
    opened = Database(settings.database)
    database.upgrade(opened)
    with opened.writing() as session:
        add_track(session, track_entry(), now=START)
        prompts = [PromptEntry(id=key, text=f"Prompt {key}") for key in DEMO_PROMPTS]
        import_prompts(session, prompts, now=START)
    opened.dispose()


def write_files(folder: Path) -> dict[str, str]:
    """Write the files that the recipes show and name; return those that the README shows."""
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "activate").touch()
    spec, track = blocks("toml")
    (prompts,) = blocks("csv")
    # Short and small clips, so that this test is quick.
    track = track.replace("= 640", "= 64").replace("= 360", "= 64").replace("= 72", "= 24")
    (folder / "my-track.toml").write_text(track, encoding="utf-8")
    (folder / "my-prompts.csv").write_text(prompts, encoding="utf-8")
    (folder / "my-model.toml").write_text(spec, encoding="utf-8")
    ids = [line.split(",")[0] for line in prompts.splitlines()[1:]]
    (folder / "my-clips").mkdir()
    for number, key in enumerate([*DEMO_PROMPTS, *ids]):
        clip = encode_master(bar_clip(number + 1))
        (folder / "my-clips" / f"{key}.mp4").write_bytes(clip)
    return {"spec": spec}


def run(block: str, folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", SERVE + block],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_every_recipe_runs(tmp_path: Path) -> None:
    make_demo(tmp_path / "arena-data")
    spec = write_files(tmp_path)["spec"]
    programs = tmp_path / "programs"
    programs.mkdir()
    make = subprocess.run(["which", "make"], capture_output=True, text=True, check=True).stdout
    (programs / "make").write_text(MAKE.format(make=make.strip()))
    (programs / "make").chmod(0o755)
    path = os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ARENA_")}
    environment |= {"PATH": path}

    with arena_program(programs):
        quick_start, add_a_model, own_arena, release = blocks("sh")
        run(quick_start, tmp_path, environment)
        shown = run(add_a_model, tmp_path, environment)
        assert "Added My Model." in shown
        assert "Added 2 clips." in shown
        home = {"ARENA_HOME": str(tmp_path / "arena-data")}
        run(release, tmp_path, environment | home)

        own = spec.replace('["text-to-video"]', '["my-track"]')
        (tmp_path / "my-model.toml").write_text(own, encoding="utf-8")
        other = own.replace("My Model", "Other Model")
        (tmp_path / "other-model.toml").write_text(other, encoding="utf-8")
        shown = run(own_arena, tmp_path, environment)
        assert "Added 4 clips." in shown
        assert (tmp_path / "my-arena" / "arena.sqlite").is_file()


def test_every_link_and_picture_has_a_target() -> None:
    for target in re.findall(r"\]\(((?!http)[^)]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_readme_says_what_the_demo_costs() -> None:
    for cost in ("time", "disk", "memory"):
        assert f"| {cost} |" in README
