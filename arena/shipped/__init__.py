"""What comes with the arena: the six tracks and their prompts, at full size and in Foal's world."""

from enum import StrEnum
from pathlib import Path

from arena.text import AUDIO_SUFFIX


class Collection(StrEnum):
    STANDARD = "standard"  # 1280 x 720, five seconds: what `arena init` enters
    DEMO = "demo"  # 256 x 256, three seconds: the size of the built-in model's world


def track_files(collection: Collection) -> list[Path]:
    """The shipped tracks' files, the text tracks first."""
    order = ("text-to-video", "image-to-video", "video-edit")
    files = (Path(__file__).parent / collection / "tracks").glob("*.toml")
    return sorted(
        files, key=lambda path: (order.index(path.stem.removesuffix(AUDIO_SUFFIX)), path.stem)
    )


def prompt_file(collection: Collection) -> Path:
    """The shipped prompts."""
    return Path(__file__).parent / collection / "prompts.csv"
