"""Still images of a video: a thumbnail and a sprite sheet."""

from io import BytesIO
from pathlib import Path

from PIL import Image

from generator.media import decode

SHEET_COLUMNS, SHEET_ROWS = 4, 3
CELL_WIDTH = 320  # pixels, or the video's width if that is less


def thumbnail(file: Path) -> bytes:
    """Return the first frame as WebP."""
    return _encode(Image.fromarray(decode(file, until_s=0.0).frames[0]), "WEBP")


def spritesheet(file: Path) -> bytes:
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


def _encode(image: Image.Image, image_format: str) -> bytes:
    buffer = BytesIO()
    image.save(buffer, image_format)
    return buffer.getvalue()
