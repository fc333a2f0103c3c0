"""Still images of a video: thumbnails and sprite sheets."""

from io import BytesIO
from pathlib import Path

from PIL import Image

from generator.media.decode import decode

SHEET_COLUMNS, SHEET_ROWS = 4, 3
CELL_WIDTH = 320  # pixels, or the video's width if that is less
JPEG_QUALITY = 80


def first_frame(file: Path) -> bytes:
    """Return the first frame as WebP."""
    return _encode(Image.fromarray(decode(file, until_s=0.0).frames[0]), "WEBP")


def thumbnails(data: bytes, *, count: int, max_side: int) -> list[bytes]:
    """Return evenly spaced frames, including the first and the last, as JPEG.

    Args:
        data: The video file.
        count: Number of frames, at least 2.
        max_side: Maximum width and height in pixels.

    Raises:
        ClipError: The file cannot be decoded.
    """
    frames = decode(data).frames
    images = []
    for index in range(count):
        image = Image.fromarray(frames[index * (len(frames) - 1) // (count - 1)])
        image.thumbnail((max_side, max_side))
        images.append(_encode(image, "JPEG", quality=JPEG_QUALITY))
    return images


def sprite_sheet(file: Path) -> bytes:
    """Return a grid of evenly spaced frames, in rows from left to right, as JPEG."""
    frames = decode(file).frames
    height, width = frames.shape[1:3]
    cell_width = min(CELL_WIDTH, width)
    cell_height = max(1, round(height * cell_width / width))
    sheet = Image.new("RGB", (cell_width * SHEET_COLUMNS, cell_height * SHEET_ROWS))
    cells = SHEET_COLUMNS * SHEET_ROWS
    for cell in range(cells):
        frame = Image.fromarray(frames[cell * len(frames) // cells])
        row, column = divmod(cell, SHEET_COLUMNS)
        position = column * cell_width, row * cell_height
        sheet.paste(frame.resize((cell_width, cell_height)), position)
    return _encode(sheet, "JPEG")


def _encode(image: Image.Image, image_format: str, **options: int) -> bytes:
    buffer = BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()
