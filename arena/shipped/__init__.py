"""The shipped tracks and prompts: at full size, and at the size of the built-in model."""

import csv
from enum import StrEnum
from pathlib import Path

from arena.text import AUDIO_SUFFIX


class Collection(StrEnum):
    STANDARD = "standard"  # 1280 x 720, five seconds: added by `arena init`
    DEMO = "demo"  # 256 x 256, three seconds: added by `arena demo`


def track_files(collection: Collection) -> list[Path]:
    """Return the files of the shipped tracks, text tracks first."""
    order = ("text-to-video", "image-to-video", "video-edit")
    files = (Path(__file__).parent / collection / "tracks").glob("*.toml")
    return sorted(
        files, key=lambda path: (order.index(path.stem.removesuffix(AUDIO_SUFFIX)), path.stem)
    )


def prompt_file(collection: Collection) -> Path:
    """Return the file of the shipped prompts."""
    return Path(__file__).parent / collection / "prompts.csv"


def shipped_prompts() -> set[tuple[str, str]]:
    """Return id and text of every shipped prompt; their licence is stated in releases."""
    prompts = set()
    for collection in Collection:
        with prompt_file(collection).open(encoding="utf-8", newline="") as file:
            prompts |= {(row["id"], row["text"]) for row in csv.DictReader(file)}
    return prompts
