"""The README's commands work: each is run, in order, on a small arena."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from arena import database
from arena.catalog import catalog
from arena.catalog.schemas import PromptEntry
from arena.database import Database
from arena.settings import Settings, make_home
from generator.media import encode_master
from playable import bar_clip
from small_arena import START, track_entry

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def run(command: list[str], **options: object) -> None:
    done = subprocess.run(command, capture_output=True, text=True, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, f"{command}: {done.stderr}"


def test_every_command_runs(tmp_path: Path) -> None:
    home = tmp_path / "home"
    settings = Settings(home=home)
    make_home(settings)
    opened = Database(settings.database)
    database.upgrade(opened)
    with opened.writing() as session:
        catalog.add_track(session, track_entry(), now=START)
        prompts = [PromptEntry(id=f"p-{number}", text=f"Prompt {number}") for number in (1, 2)]
        catalog.import_prompts(session, prompts, now=START)
    opened.dispose()
    (spec,) = blocks("toml")
    (tmp_path / "my-model.toml").write_text(spec, encoding="utf-8")
    (tmp_path / "my-clips").mkdir()
    for number in (1, 2):
        (tmp_path / "my-clips" / f"p-{number}.mp4").write_bytes(encode_master(bar_clip(number)))
    scripts = Path(sys.executable).parent
    environment = os.environ | {
        "ARENA_HOME": str(home),
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
    }
    for block in blocks("sh"):
        for line in block.splitlines():
            words = shlex.split(line)
            if words[0] == "make":
                run(["make", "--dry-run", *words[1:]], cwd=ROOT)
            else:
                run(words, cwd=tmp_path, env=environment)


def test_every_link_has_a_target() -> None:
    for target in re.findall(r"\]\(((?!http)[^)]+)\)", README):
        assert (ROOT / target).exists(), target
