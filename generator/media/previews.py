"""Still images of a video: thumbnails and sprite sheets."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from PIL import Image

from generator.media.decode import read_pictures

SHEET_COLUMNS, SHEET_ROWS = 4, 3
CELL_WIDTH = 320  # pixels, or the video's width if that is less
JPEG_QUALITY = 80


def first_frame(file: Path) -> bytes:
    """Return the first frame as WebP."""
    first = next(read_pictures(file))
    return _encode(Image.fromarray(first.pixels()), "WEBP")


def middle_frame(data: bytes) -> bytes:
    """Return the frame in the middle of a video file, in its own size, as PNG.

    Raises:
        ClipError: The file cannot be decoded.
    """
    total = sum(1 for _ in read_pictures(data))
    return _encode(next(_pictures_at(data, [total // 2])), "PNG")


def thumbnails(data: bytes, *, count: int, max_side: int) -> list[bytes]:
    """Return evenly spaced frames, including the first and the last, as JPEG.

    Args:
        data: The video file.
        count: Number of frames, at least 2.
        max_side: Maximum width and height in pixels.

    Raises:
        ClipError: The file cannot be decoded.
    """
    total = sum(1 for _ in read_pictures(data))
    indices = [index * (total - 1) // (count - 1) for index in range(count)]
    images = []
    for image in _pictures_at(data, indices):
        image.thumbnail((max_side, max_side))
        images.append(_encode(image, "JPEG", quality=JPEG_QUALITY))
    return images


def sprite_sheet(file: Path) -> bytes:
    """Return a grid of evenly spaced frames, in rows from left to right, as JPEG."""
    total, cells = sum(1 for _ in read_pictures(file)), SHEET_COLUMNS * SHEET_ROWS
    indices = [cell * total // cells for cell in range(cells)]
    frames = []
    for frame in _pictures_at(file, indices):
        cell_width = min(CELL_WIDTH, frame.width)
        cell_height = max(1, round(frame.height * cell_width / frame.width))
        frames.append(frame.resize((cell_width, cell_height)))
    width, height = frames[0].size
    sheet = Image.new("RGB", (width * SHEET_COLUMNS, height * SHEET_ROWS))
    for cell, frame in enumerate(frames):
        row, column = divmod(cell, SHEET_COLUMNS)
        sheet.paste(frame, (column * width, row * height))
    return _encode(sheet, "JPEG")


def _pictures_at(source: Path | bytes, indices: list[int]) -> Iterator[Image.Image]:
    """Yield the pictures with these indices, in ascending order, one in memory at a time."""
    for number, picture in enumerate(read_pictures(source)):
        if number in indices:
            image = Image.fromarray(picture.pixels())
            for _ in range(indices.count(number)):
                yield image.copy()


def _encode(image: Image.Image, image_format: str, **options: int) -> bytes:
    buffer = BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()
