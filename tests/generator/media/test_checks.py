"""Clips that cannot be shown are rejected with a reason, and kept for the operator."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from small_clips import HEIGHT, WIDTH, ball_clip, ball_frames, entrant_of, small_track, tone

from generator.clips import ClipRequest, FailedClip, RawClip
from generator.engine import generate
from generator.errors import ClipError
from generator.media import encode_master, encode_rendition
from generator.media.checks import check_rendition
from generator.media.checks import check_samples as check_all
from generator.media.fit import fit_to_track
from generator.spec import TrackSettings

SILENT, WITH_SOUND = small_track(audio=False), small_track(audio=True)


def flat_frames(value: int) -> np.ndarray:
    return np.full((24, HEIGHT, WIDTH, 3), value, np.uint8)


def check_samples(raw: RawClip, track: TrackSettings) -> None:
    check_all(raw, raw.frames, track)


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (flat_frames(0), "Every frame of the clip is black"),
        (flat_frames(120), "Every frame of the clip is of one colour"),
        (np.repeat(ball_frames()[:1], 24, axis=0), "frozen"),
    ],
)
def test_blank_and_frozen_clips_are_rejected(frames: np.ndarray, message: str) -> None:
    with pytest.raises(ClipError, match=message):
        check_samples(ball_clip(frames=frames), SILENT)


def test_silence_is_rejected_only_in_tracks_with_sound() -> None:
    quiet = ball_clip(audio=tone(1.0, amplitude=0.0))
    check_samples(quiet, SILENT)
    check_samples(ball_clip(audio=tone(1.0, amplitude=0.001)), WITH_SOUND)
    with pytest.raises(ClipError, match="silent"):
        check_samples(quiet, WITH_SOUND)


def test_a_dark_clip_with_a_little_motion_is_accepted() -> None:
    frames = flat_frames(3)
    for index, frame in enumerate(frames):
        frame[20:30, 2 * index : 2 * index + 10] = 60
    check_samples(ball_clip(frames=frames), SILENT)


@pytest.mark.parametrize("fps", [Fraction(1, 10), Fraction(1, 2)])
def test_a_clip_with_one_remaining_frame_is_frozen(fps: Fraction) -> None:
    slow = ball_clip(frames=ball_frames()[::12], fps=fps, audio=None)
    fitted, _ = fit_to_track(slow, SILENT)
    with pytest.raises(ClipError, match="frozen"):
        check_all(slow, fitted.frames, SILENT)


def test_the_rendition_is_decoded_to_its_end() -> None:
    rendition = encode_rendition(ball_clip(), WITH_SOUND)
    check_rendition(rendition, WITH_SOUND)
    with pytest.raises(ClipError, match="24 frames at 24/s, not 30"):
        check_rendition(rendition, WITH_SOUND.model_copy(update={"frames": 30}))
    with pytest.raises(ClipError, match="s of sound"):
        check_rendition(rendition, SILENT)
    with pytest.raises(ClipError):
        check_rendition(rendition[: len(rendition) // 2], WITH_SOUND)


def test_the_master_of_a_rejected_clip_is_kept(tmp_path: Path) -> None:
    master = encode_master(ball_clip(frames=flat_frames(0)))
    (tmp_path / "p1.mp4").write_bytes(master)
    request = ClipRequest(entrant_of("folder", path=str(tmp_path)), WITH_SOUND, "p1", "a ball", 0)
    (failed,) = generate([request], workers=0)
    assert isinstance(failed, FailedClip)
    assert "black" in failed.reason
    assert failed.master is not None
    assert failed.master.data == master
