"""Ground-truth clips as files."""

from pathlib import Path

import pytest

from generator.foal.world.ground_truth import write_ground_truth


@pytest.mark.parametrize(
    ("caption", "name", "message"),
    [
        ("a red ball bounces", "clip.gif", r"must end in \.mp4 or \.png"),
        ("a city at dawn", "clip.png", "contains: name a ball or a cube"),
        ("a red ball collides", "clip.png", "one object cannot collide"),
    ],
)
def test_captions_and_files_of_another_kind_are_refused(
    tmp_path: Path, caption: str, name: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        write_ground_truth(caption, tmp_path / name, seed=0)
    assert not list(tmp_path.iterdir())
