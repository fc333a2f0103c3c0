"""Conversion of clips to the format of a track, and the record of changes."""

from fractions import Fraction

import numpy as np
import pytest
from small_clips import FRAMES, HEIGHT, WIDTH, ball_clip, ball_frames, small_track, tone

from generator.errors import ClipError
from generator.media.fit import fit_to_track, needed_frames

SILENT, WITH_SOUND = small_track(audio=False), small_track(audio=True)


def numbered_frames(count: int) -> np.ndarray:
    """Return frames whose grey level is their index."""
    shape = (count, HEIGHT, WIDTH, 3)
    return np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None, None], shape).copy()


def test_a_clip_that_fits_is_not_changed() -> None:
    clip = ball_clip()
    fitted, changes = fit_to_track(clip, WITH_SOUND)
    assert changes == ()
    assert np.array_equal(fitted.frames, clip.frames)


def test_a_longer_clip_is_cut() -> None:
    fitted, changes = fit_to_track(
        ball_clip(frames=numbered_frames(30), audio=tone(1.25)), WITH_SOUND
    )
    assert fitted.frames[:, 0, 0, 0].tolist() == list(range(FRAMES))
    assert fitted.audio is not None
    assert fitted.audio.shape == (2, 48_000)
    assert changes == ("cut 30 to 24 frames", "cut 0.250 s of sound")


def test_a_clip_one_frame_too_short_is_rejected() -> None:
    with pytest.raises(ClipError, match=r"23 frames.*needs 1\.00 s"):
        fit_to_track(ball_clip(frames=ball_frames(FRAMES - 1)), SILENT)


@pytest.mark.parametrize(
    ("fps", "count", "expected"),
    [
        (Fraction(12), 12, [i // 2 + i % 2 for i in range(23)] + [11]),
        (Fraction(48), 48, list(range(0, 48, 2))),
        (Fraction(8), 8, [min(7, (i + 1) // 3) for i in range(24)]),
    ],
)
def test_frame_rates_are_converted_by_nearest_frame(
    fps: Fraction, count: int, expected: list[int]
) -> None:
    fitted, changes = fit_to_track(ball_clip(frames=numbered_frames(count), fps=fps), SILENT)
    assert fitted.fps == 24
    assert fitted.frames[:, 0, 0, 0].tolist() == expected
    assert f"changed {float(fps):g} to 24 frames/s by nearest frame" in changes


def test_needed_frames_cover_the_duration_of_the_track() -> None:
    assert needed_frames(SILENT, fps=Fraction(24)) == FRAMES
    assert needed_frames(SILENT, fps=Fraction(16)) == 16
    assert needed_frames(SILENT, fps=Fraction(24_000, 1001)) == FRAMES


def test_another_aspect_ratio_is_letterboxed() -> None:
    white = np.full((FRAMES, 100, 50, 3), 255, np.uint8)
    fitted, changes = fit_to_track(ball_clip(frames=white), SILENT)
    assert fitted.frames.shape == (FRAMES, HEIGHT, WIDTH, 3)
    assert fitted.frames[0, :, WIDTH // 2].min() == 255
    assert fitted.frames[0, :, : WIDTH // 4].max() == 0
    assert changes[:2] == ("scaled 50x100 to 32x64", "letterboxed to 96x64")


def test_a_track_with_sound_rejects_a_clip_without_sound() -> None:
    with pytest.raises(ClipError, match="no sound"):
        fit_to_track(ball_clip(audio=None, sample_rate=None), WITH_SOUND)


def test_a_silent_track_drops_the_sound() -> None:
    fitted, changes = fit_to_track(ball_clip(), SILENT)
    assert fitted.audio is None
    assert changes == ("dropped the sound",)


def test_sound_becomes_48_khz_stereo_of_the_videos_length() -> None:
    mono = tone(0.9, rate=16_000)[:1]
    fitted, changes = fit_to_track(ball_clip(audio=mono, sample_rate=16_000), WITH_SOUND)
    assert fitted.audio is not None
    assert fitted.audio.shape == (2, 48_000)
    assert fitted.sample_rate == 48_000
    zero_crossings = np.diff(np.signbit(fitted.audio[0, 4_800:38_400])).sum()
    assert zero_crossings / 2 / 0.7 == pytest.approx(440, rel=0.01)
    assert [change.split()[0] for change in changes] == ["resampled", "mixed", "padded"]


def test_sound_with_nan_is_rejected() -> None:
    broken = tone(1.0)
    broken[0, 5] = np.nan
    with pytest.raises(ClipError, match="NaN"):
        fit_to_track(ball_clip(audio=broken), WITH_SOUND)


def test_frames_of_another_dtype_are_rejected() -> None:
    with pytest.raises(ClipError, match="uint8"):
        fit_to_track(ball_clip(frames=ball_frames().astype(np.float32)), SILENT)
