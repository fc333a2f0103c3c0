"""Sample sheets: a row a clip, its sound below, as PNG."""

from pathlib import Path

import numpy as np
from PIL import Image

SHOWN_FRAMES = 9
SOUND_HEIGHT = 3  # pixels a band


def clip_row(frames: np.ndarray, bands: np.ndarray | None = None) -> np.ndarray:
    """One row of a sheet: frames (F, H, W, 3) in [0, 1], bands (hops, BANDS) -> uint8 picture."""
    chosen = frames[np.linspace(0, len(frames) - 1, SHOWN_FRAMES).astype(int)]
    row = np.concatenate(list(chosen), axis=1)
    if bands is not None:
        columns = np.linspace(0, len(bands) - 1, row.shape[1]).astype(int)
        stripe = np.clip(bands[columns].T[::-1], 0, 1).repeat(SOUND_HEIGHT, axis=0)
        row = np.concatenate([row, np.repeat(stripe[..., None], 3, axis=2)])
    return np.asarray(np.clip(row, 0, 1) * 255 + 0.5, dtype=np.uint8)


def save_sheet(path: Path, rows: list[np.ndarray]) -> None:
    """Write rows of equal width under each other; a reader never sees half a picture."""
    temporary = path.with_name(path.name + ".part")
    Image.fromarray(np.concatenate(rows)).save(temporary, format="PNG")
    temporary.replace(path)
