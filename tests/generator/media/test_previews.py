"""Thumbnails and sprite sheets show evenly spaced frames."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_clips import ball_clip

from generator.errors import ClipError
from generator.media import encode_master
from generator.media.previews import first_frame, middle_frame, sprite_sheet, thumbnails

COUNT, WIDTH, HEIGHT = 24, 96, 64


def brightening_video() -> bytes:
    """Encode frames whose grey level is ten times their index."""
    levels = np.arange(COUNT, dtype=np.uint8)[:, None, None, None] * 10
    return encode_master(ball_clip(frames=np.tile(levels, (1, HEIGHT, WIDTH, 3))))


def grey_level(data: bytes) -> float:
    with Image.open(BytesIO(data)) as image:
        return float(np.asarray(image.convert("L")).mean())


def test_thumbnails_include_the_first_and_last_frame() -> None:
    images = thumbnails(brightening_video(), count=3, max_side=48)
    assert [grey_level(image) for image in images] == pytest.approx([0, 110, 230], abs=3)
    with Image.open(BytesIO(images[0])) as image:
        assert (image.format, image.size) == ("JPEG", (48, 32))


def test_the_middle_frame_is_a_png_in_the_videos_own_size() -> None:
    data = middle_frame(brightening_video())
    assert grey_level(data) == pytest.approx(120, abs=3)
    with Image.open(BytesIO(data)) as image:
        assert (image.format, image.size) == ("PNG", (WIDTH, HEIGHT))


def test_a_sprite_sheet_is_read_from_left_to_right_and_down(tmp_path: Path) -> None:
    (tmp_path / "video.mkv").write_bytes(brightening_video())
    with Image.open(BytesIO(sprite_sheet(tmp_path / "video.mkv"))) as image:
        assert (image.format, image.size) == ("JPEG", (4 * WIDTH, 3 * HEIGHT))
        grey = np.asarray(image.convert("L"))
    centers = grey[HEIGHT // 2 :: HEIGHT, WIDTH // 2 :: WIDTH].ravel()
    assert centers.tolist() == pytest.approx([20 * cell for cell in range(12)], abs=3)
    assert grey_level(first_frame(tmp_path / "video.mkv")) == pytest.approx(0, abs=3)


def test_a_damaged_file_has_no_thumbnails() -> None:
    with pytest.raises(ClipError):
        thumbnails(b"not a video", count=3, max_side=48)
