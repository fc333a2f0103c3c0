"""The shipped tracks and prompts: standard, of the demo, and of a contest of makers' services."""

import csv
from enum import StrEnum
from pathlib import Path

from arena.text import AUDIO_SUFFIX


class Collection(StrEnum):
    STANDARD = "standard"  # 1280 x 720, five seconds: added by `arena init`
    DEMO = "demo"  # 256 x 256, three seconds: added by `arena demo`
    CONTEST = "contest"  # 1920 x 1080, five and ten seconds: added by `arena init --preset contest`


def track_files(collection: Collection) -> list[Path]:
    """Return the files of the shipped tracks, text tracks first, each before its one with sound."""
    order = ("text-to-video", "image-to-video", "video-edit")

    def key(path: Path) -> tuple[int, str, str]:
        modality = next(index for index, name in enumerate(order) if path.stem.startswith(name))
        return modality, path.stem.removesuffix(AUDIO_SUFFIX), path.stem

    return sorted((Path(__file__).parent / collection / "tracks").glob("*.toml"), key=key)


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
