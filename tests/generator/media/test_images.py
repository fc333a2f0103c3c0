"""Still images are opened within limits, upright and at the requested size."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_clips import HEIGHT, WIDTH

from generator.errors import ClipError
from generator.media.images import load_image

EXIF_ORIENTATION, ROTATED_CLOCKWISE = 0x0112, 6


def test_the_exif_orientation_is_applied(tmp_path: Path) -> None:
    path = tmp_path / "rotated.jpg"
    pixels = np.zeros((100, 200, 3), np.uint8)
    pixels[:, :100] = 255  # the left half, which the orientation turns to the top
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = ROTATED_CLOCKWISE
    Image.fromarray(pixels).save(path, exif=exif, quality=95)
    image = np.asarray(load_image(path, (100, 200)))
    assert image[:90].min() > 200
    assert image[110:].max() < 55


def test_an_image_with_too_many_pixels_is_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (40, 40)).save(tmp_path / "huge.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(ClipError, match="too many pixels"):
        load_image(tmp_path / "huge.png", (16, 16))


def test_an_image_with_too_few_pixels_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "dot.png"
    Image.new("RGB", (1, 1), "red").save(path)
    with pytest.raises(ClipError, match=r"dot\.png has 1 x 1 pixels"):
        load_image(path, (WIDTH, HEIGHT))
