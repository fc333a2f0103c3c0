"""Clips made to fit their track, and the words for what was changed."""

from fractions import Fraction

import numpy as np
import pytest
from small_clips import FRAMES, HEIGHT, WIDTH, ball_clip, ball_frames, small_track, tone

from generator.errors import ClipError
from generator.media.fit import fit_to_track, needed_frames

SILENT, SOUNDING = small_track(audio=False), small_track(audio=True)


def counted_frames(count: int) -> np.ndarray:
    """Frames that each have their number as grey."""
    shape = (count, HEIGHT, WIDTH, 3)
    return np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None, None], shape).copy()


def test_a_clip_that_fits_is_left_alone() -> None:
    clip = ball_clip()
    fitted, changes = fit_to_track(clip, SOUNDING)
    assert changes == ()
    assert np.array_equal(fitted.frames, clip.frames)


def test_a_longer_clip_is_cut() -> None:
    fitted, changes = fit_to_track(ball_clip(frames=counted_frames(30), audio=tone(1.25)), SOUNDING)
    assert fitted.frames[:, 0, 0, 0].tolist() == list(range(FRAMES))
    assert fitted.audio is not None
    assert fitted.audio.shape == (2, 48_000)
    assert changes == ("cut 30 to 24 frames", "cut 0.250 s of sound")


def test_a_clip_one_frame_too_short_is_refused() -> None:
    with pytest.raises(ClipError, match=r"23 frames.*needs 1\.00 s"):
        fit_to_track(ball_clip(frames=ball_frames(FRAMES - 1)), SILENT)


@pytest.mark.parametrize(
    ("fps", "count", "shown"),
    [
        (Fraction(12), 12, [i // 2 + i % 2 for i in range(23)] + [11]),
        (Fraction(48), 48, list(range(0, 48, 2))),
        (Fraction(8), 8, [min(7, (i + 1) // 3) for i in range(24)]),
    ],
)
def test_another_frame_rate_is_met_by_the_nearest_frames(
    fps: Fraction, count: int, shown: list[int]
) -> None:
    fitted, changes = fit_to_track(ball_clip(frames=counted_frames(count), fps=fps), SILENT)
    assert fitted.fps == 24
    assert fitted.frames[:, 0, 0, 0].tolist() == shown
    assert f"changed {float(fps):g} to 24 frames/s by nearest frame" in changes


def test_needed_frames_last_as_long_as_the_track() -> None:
    assert needed_frames(SILENT, fps=Fraction(24)) == FRAMES
    assert needed_frames(SILENT, fps=Fraction(16)) == 16
    assert needed_frames(SILENT, fps=Fraction(24_000, 1001)) == FRAMES


def test_another_shape_is_letterboxed_on_black() -> None:
    white = np.full((FRAMES, 100, 50, 3), 255, np.uint8)
    fitted, changes = fit_to_track(ball_clip(frames=white), SILENT)
    assert fitted.frames.shape == (FRAMES, HEIGHT, WIDTH, 3)
    assert fitted.frames[0, :, WIDTH // 2].min() == 255
    assert fitted.frames[0, :, : WIDTH // 4].max() == 0
    assert changes[:2] == ("scaled 50x100 to 32x64", "letterboxed to 96x64")


def test_a_sounding_track_refuses_a_clip_without_sound() -> None:
    with pytest.raises(ClipError, match="no sound"):
        fit_to_track(ball_clip(audio=None, sample_rate=None), SOUNDING)


def test_a_silent_track_drops_sound() -> None:
    fitted, changes = fit_to_track(ball_clip(), SILENT)
    assert fitted.audio is None
    assert changes == ("dropped the sound",)


def test_sound_becomes_48_khz_stereo_as_long_as_the_picture() -> None:
    mono = tone(0.9, rate=16_000)[:1]
    fitted, changes = fit_to_track(ball_clip(audio=mono, sample_rate=16_000), SOUNDING)
    assert fitted.audio is not None
    assert fitted.audio.shape == (2, 48_000)
    assert fitted.sample_rate == 48_000
    rise = np.diff(np.signbit(fitted.audio[0, 4_800:38_400])).sum()
    assert rise / 2 / 0.7 == pytest.approx(440, rel=0.01)
    assert [change.split()[0] for change in changes] == ["resampled", "mixed", "padded"]


def test_sound_that_is_no_number_is_refused() -> None:
    broken = tone(1.0)
    broken[0, 5] = np.nan
    with pytest.raises(ClipError, match="finite"):
        fit_to_track(ball_clip(audio=broken), SOUNDING)


def test_frames_of_another_kind_are_refused() -> None:
    with pytest.raises(ClipError, match="uint8"):
        fit_to_track(ball_clip(frames=ball_frames().astype(np.float32)), SILENT)
