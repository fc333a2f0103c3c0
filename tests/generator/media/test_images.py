"""Still images are opened within limits, upright, in sRGB and at the requested size."""

import os
import zlib
from pathlib import Path

import numpy as np
import pytest
from peak_memory import run_and_measure
from PIL import Image, ImageCms
from small_clips import HEIGHT, WIDTH

from generator.errors import ClipError
from generator.media.images import load_image

EXIF_ORIENTATION = 0x0112
# What EXIF says, and where the upper left corner of the stored pixels is shown.
CORNERS = {
    1: (0, 0),
    2: (1, 0),
    3: (1, 1),
    4: (0, 1),
    5: (0, 0),
    6: (1, 0),
    7: (1, 1),
    8: (0, 1),
}


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
@pytest.mark.parametrize("orientation", CORNERS)
def test_the_exif_orientation_is_applied(tmp_path: Path, orientation: int, suffix: str) -> None:
    path = tmp_path / f"turned.{suffix}"
    pixels = np.zeros((100, 200, 3), np.uint8)
    pixels[:40, :80] = 255
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    Image.fromarray(pixels).save(path, exif=exif, quality=95)
    size = (100, 200) if orientation > 4 else (200, 100)
    image = np.asarray(load_image(path, size))
    right, bottom = CORNERS[orientation]
    corners = image[:: size[1] - 1, :: size[0] - 1, 0]
    assert corners[bottom, right] > 200
    assert corners.astype(int).sum() < 400


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


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_transparent_parts_are_black(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "cut-out.png"
    pixels = np.full((64, 96, 4), (255, 255, 255, 0), np.uint8)
    pixels[:, :48, 3] = 255
    image = Image.fromarray(pixels)
    if mode == "PA":
        palette = Image.new("P", (96, 64), 0)
        palette.putpalette([255, 255, 255, 255, 255, 255])
        palette.paste(1, (48, 0, 96, 64))
        palette.save(path, transparency=1)
    else:
        image.convert(mode).save(path)
    shown = np.asarray(load_image(path, (96, 64)))
    assert shown[:, :44].min() == 255
    assert shown[:, 52:].max() == 0


def test_a_cmyk_image_keeps_its_colours(tmp_path: Path) -> None:
    path = tmp_path / "print.jpg"
    Image.new("RGB", (96, 64), (200, 60, 90)).convert("CMYK").save(path, quality=100)
    shown = np.asarray(load_image(path, (96, 64)))[32, 48].astype(int)
    assert shown.tolist() == pytest.approx([200, 60, 90], abs=6)


def test_sixteen_bits_become_eight(tmp_path: Path) -> None:
    path = tmp_path / "deep.png"
    ramp = np.tile(np.linspace(0, 65535, 96).astype(np.uint16), (64, 1))
    Image.fromarray(ramp).save(path)
    shown = np.asarray(load_image(path, (96, 64)))[32, :, 0].astype(int)
    assert np.abs(shown - np.linspace(0, 255, 96)).max() <= 2


def test_an_embedded_colour_profile_is_applied(tmp_path: Path) -> None:
    path = tmp_path / "lab.jpg"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.new("RGB", (96, 64), (200, 60, 90)).save(path, icc_profile=profile, quality=100)
    shown = np.asarray(load_image(path, (96, 64)))[32, 48].astype(int)
    assert shown.tolist() == pytest.approx([200, 60, 90], abs=4)
    Image.new("RGB", (96, 64), (200, 60, 90)).save(path, icc_profile=b"damaged", quality=100)
    shown = np.asarray(load_image(path, (96, 64)))[32, 48].astype(int)
    assert shown.tolist() == pytest.approx([200, 60, 90], abs=4)


@pytest.mark.parametrize("suffix", ["webp", "png"])
def test_an_animation_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"moving.{suffix}"
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("red", "green", "blue")]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100)
    with pytest.raises(ClipError, match=r"is animated \(3 frames\); use a still one"):
        load_image(path, (32, 32))


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path / "pipe.png", Path("/dev/zero"), tmp_path):
        with pytest.raises(ClipError, match="is not a regular file"):
            load_image(path, (32, 32))


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_a_damaged_image_is_named(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"half.{suffix}"
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ClipError, match=rf"half\.{suffix} cannot be opened"):
        load_image(path, (32, 32))


def bomb(path: Path, side: int, *, colour_type: int) -> None:
    """Write a PNG of one colour, whose file is a thousandth of its pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        head = len(content).to_bytes(4, "big") + kind + content
        return head + zlib.crc32(kind + content).to_bytes(4, "big")

    header = side.to_bytes(4, "big") * 2 + bytes([8, colour_type, 0, 0, 0])
    channels = {2: 3, 6: 4}[colour_type]
    packer = zlib.compressobj(9)
    row = bytes(1 + channels * side)
    body = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    signature = b"\x89PNG\r\n\x1a\n"
    chunks = (chunk(b"IHDR", header), chunk(b"IDAT", body), chunk(b"IEND", b""))
    path.write_bytes(signature + b"".join(chunks))


LOAD = """
import sys
from pathlib import Path
from generator.errors import ClipError
from generator.media.images import load_image
try:
    print(load_image(Path(sys.argv[1]), (1280, 720)).size)
except ClipError as error:
    print(error)
"""


def test_a_small_file_with_a_huge_image_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    bomb(tmp_path / "bomb.png", 8000, colour_type=2)
    assert (tmp_path / "bomb.png").stat().st_size < 1_000_000
    message, peak = run_and_measure(LOAD, tmp_path / "bomb.png")
    assert "too many pixels (8000 x 8000)" in message
    assert peak < 200


def test_the_largest_images_stay_within_the_memory(tmp_path: Path) -> None:
    bomb(tmp_path / "large.png", 4096, colour_type=6)
    Image.new("RGB", (9000, 7000), (90, 120, 60)).save(tmp_path / "large.jpg", progressive=True)
    for name in ("large.png", "large.jpg"):
        message, peak = run_and_measure(LOAD, tmp_path / name)
        assert message == "(1280, 720)"
        assert peak < 512
