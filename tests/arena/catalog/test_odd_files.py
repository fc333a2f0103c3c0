"""Files with huge numbers, deep nesting, or sources elsewhere are refused in one sentence."""

from pathlib import Path

import pytest

from arena.catalog.schemas import MAX_WATCH_MS, read_prompts, read_track
from arena.errors import CatalogError
from arena.voting.battles import BATTLE_LIFETIME

TRACK = {
    "name": '"tiny"',
    "modality": '"text-to-video"',
    "audio": "false",
    "width": "96",
    "height": "54",
    "fps": "24",
    "frames": "48",
    "video_kbps": "200",
    "bytes": "90000",
}


def track_file(folder: Path, **changes: str) -> Path:
    """Write a track file with keys changed or added."""
    path = folder / "track.toml"
    keys = TRACK | changes
    path.write_text("".join(f"{key} = {value}\n" for key, value in keys.items()))
    return path


def refusal(path: Path) -> str:
    with pytest.raises(CatalogError) as caught:
        read_track(path)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 6000
    return message


@pytest.mark.parametrize("key", ["width", "frames", "fps", "min_watch_ms", "seeds", "bytes"])
@pytest.mark.parametrize("value", ["9" * 5000, "9" * 4000, "nan", "inf", "-inf", "1e400"])
def test_an_impossible_number_is_refused(tmp_path: Path, key: str, value: str) -> None:
    assert "track.toml" in refusal(track_file(tmp_path, **{key: value}))


@pytest.mark.parametrize(
    "value", ["[" * 20_000 + "]" * 20_000, "{a=" * 20_000 + "1" + "}" * 20_000]
)
def test_deep_nesting_is_refused(tmp_path: Path, value: str) -> None:
    assert "nested too deeply" in refusal(track_file(tmp_path, extra=value))


def test_deeply_dotted_keys_are_refused(tmp_path: Path) -> None:
    path = track_file(tmp_path)
    with path.open("a") as file:
        file.write(".".join(["a"] * 5000) + " = 1\n")
    assert "track.toml" in refusal(path)


def test_no_battle_ends_before_a_vote_is_allowed(tmp_path: Path) -> None:
    assert BATTLE_LIFETIME.total_seconds() * 1000 - MAX_WATCH_MS == 60_000
    read_track(track_file(tmp_path, min_watch_ms=str(MAX_WATCH_MS)))
    assert "min_watch_ms" in refusal(track_file(tmp_path, min_watch_ms="1800001"))
    # The default is the clip's length.
    assert "min_watch_ms" in refusal(track_file(tmp_path, fps="1", frames="7200"))


def prompt_file(folder: Path, source: str) -> Path:
    path = folder / "prompts.csv"
    path.write_text(f"id,text,source\np1,make it night,{source}\n")
    return path


@pytest.mark.parametrize("kind", ["relative", "absolute", "link", "folder"])
def test_a_source_outside_the_files_folder_is_refused(tmp_path: Path, kind: str) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"not for voters")
    (inner / "link.png").symlink_to(secret)
    (inner / "linked").symlink_to(tmp_path, target_is_directory=True)
    source = {
        "relative": "../secret.png",
        "absolute": str(secret),
        "link": "link.png",
        "folder": "linked/secret.png",
    }[kind]
    with pytest.raises(CatalogError, match=r"row 1: the source .* is outside the folder"):
        read_prompts(prompt_file(inner, source))


def test_a_source_in_the_files_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "first.png").write_bytes(b"")
    (tmp_path / "link.png").symlink_to("images/first.png")
    for source in ("images/first.png", "link.png", str(tmp_path / "images" / "first.png")):
        (prompt,) = read_prompts(prompt_file(tmp_path, source))
        assert prompt.source is not None
