"""Small clips, tracks and entrants for the tests of the generator."""

from fractions import Fraction

import numpy as np

from generator.clips import RawClip
from generator.spec import AUDIO_RATE, BackendSpec, Entrant, TrackSettings

WIDTH, HEIGHT, FRAMES = 96, 64, 24


def small_track(*, audio: bool, **changes: object) -> TrackSettings:
    settings: dict[str, object] = {
        "name": "text-to-video-audio" if audio else "text-to-video",
        "modality": "text-to-video",
        "audio": audio,
        "width": WIDTH,
        "height": HEIGHT,
        "fps": 24,
        "frames": FRAMES,
        "video_kbps": 200,
        "bytes": 65_536,
    }
    return TrackSettings.model_validate(settings | changes)


def ball_frames(count: int = FRAMES, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """A red ball crossing a blue sky; shape (count, height, width, 3)."""
    y, x = np.mgrid[:height, :width]
    frames = np.full((count, height, width, 3), (110, 160, 230), np.uint8)
    for index in range(count):
        inside = (x - index * width / count) ** 2 + (y - height / 2) ** 2 < (height / 5) ** 2
        frames[index][inside] = (210, 40, 40)
    return frames


def tone(seconds: float, *, amplitude: float = 0.1, rate: int = AUDIO_RATE) -> np.ndarray:
    """A sine of 440 Hz; shape (2, N)."""
    wave = amplitude * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)
    return np.stack([wave, wave]).astype(np.float32)


def ball_clip(**changes: object) -> RawClip:
    parts: dict[str, object] = {
        "frames": ball_frames(),
        "fps": Fraction(24),
        "audio": tone(1.0),
        "sample_rate": AUDIO_RATE,
    }
    return RawClip(**(parts | changes))  # type: ignore[arg-type]


def entrant_of(kind: str, *, call: dict[str, object] | None = None, **options: object) -> Entrant:
    return Entrant(
        name="Test Horse",
        creator="Nobody",
        licence="MIT",
        tracks=("text-to-video", "text-to-video-audio"),
        backend=BackendSpec(kind=kind, call=call or {}, **options),
    )
