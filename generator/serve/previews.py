"""Still pictures of a video: one of it, and a sheet of many."""

from io import BytesIO
from pathlib import Path

from PIL import Image

from generator.media import decode

SHEET_COLUMNS, SHEET_ROWS = 4, 3
CELL_WIDTH = 320  # pixels, or the video's own width where that is less


def thumbnail(file: Path) -> bytes:
    """The first frame, as WebP."""
    return _encode(Image.fromarray(decode(file, until_s=0.0).frames[0]), "WEBP")


def spritesheet(file: Path) -> bytes:
    """Frames at even distances, in rows from left to right, as JPEG."""
    frames = decode(file).frames
    height, width = frames.shape[1:3]
    cell_width = min(CELL_WIDTH, width)
    cell_height = max(1, round(height * cell_width / width))
    sheet = Image.new("RGB", (cell_width * SHEET_COLUMNS, cell_height * SHEET_ROWS))
    cells = SHEET_COLUMNS * SHEET_ROWS
    for cell in range(cells):
        frame = Image.fromarray(frames[cell * len(frames) // cells])
        row, column = divmod(cell, SHEET_COLUMNS)
        place = column * cell_width, row * cell_height
        sheet.paste(frame.resize((cell_width, cell_height)), place)
    return _encode(sheet, "JPEG")


def _encode(picture: Image.Image, form: str) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, form)
    return buffer.getvalue()
