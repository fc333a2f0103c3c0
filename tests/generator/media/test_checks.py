"""What cannot be shown is refused with its reason, and kept for the operator to look at."""

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

SILENT, HEARD = small_track(audio=False), small_track(audio=True)


def level(value: int) -> np.ndarray:
    return np.full((24, HEIGHT, WIDTH, 3), value, np.uint8)


def check_samples(raw: RawClip, track: TrackSettings) -> None:
    check_all(raw, raw.frames, track)


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        (level(0), "Every picture of the clip is black"),
        (level(120), "Every picture of the clip is of one colour"),
        (np.repeat(ball_frames()[:1], 24, axis=0), "frozen"),
    ],
)
def test_pictures_that_show_nothing_are_refused(frames: np.ndarray, said: str) -> None:
    with pytest.raises(ClipError, match=said):
        check_samples(ball_clip(frames=frames), SILENT)


def test_silence_is_refused_only_where_the_track_is_heard() -> None:
    quiet = ball_clip(audio=tone(1.0, amplitude=0.0))
    check_samples(quiet, SILENT)
    check_samples(ball_clip(audio=tone(1.0, amplitude=0.001)), HEARD)
    with pytest.raises(ClipError, match="silent"):
        check_samples(quiet, HEARD)


def test_a_dark_clip_in_which_little_moves_is_shown() -> None:
    frames = level(3)
    for index, frame in enumerate(frames):
        frame[20:30, 2 * index : 2 * index + 10] = 60
    check_samples(ball_clip(frames=frames), SILENT)


@pytest.mark.parametrize("fps", [Fraction(1, 10), Fraction(1, 2)])
def test_a_clip_so_slow_that_one_picture_is_left_of_it_is_frozen(fps: Fraction) -> None:
    slow = ball_clip(frames=ball_frames()[::12], fps=fps, audio=None)
    fitted, _ = fit_to_track(slow, SILENT)
    with pytest.raises(ClipError, match="frozen"):
        check_all(slow, fitted.frames, SILENT)


def test_a_finished_file_is_played_to_its_end() -> None:
    film = encode_rendition(ball_clip(), HEARD)
    check_rendition(film, HEARD)
    with pytest.raises(ClipError, match="24 frames at 24/s, not 30"):
        check_rendition(film, HEARD.model_copy(update={"frames": 30}))
    with pytest.raises(ClipError, match="s of sound"):
        check_rendition(film, SILENT)
    with pytest.raises(ClipError):
        check_rendition(film[: len(film) // 2], HEARD)


def test_what_was_made_instead_is_kept(tmp_path: Path) -> None:
    film = encode_master(ball_clip(frames=level(0)))
    (tmp_path / "p1.mkv").write_bytes(film)
    (tmp_path / "p1.mp4").write_bytes(film)
    request = ClipRequest(entrant_of("folder", path=str(tmp_path)), HEARD, "p1", "a ball", 0)
    (failed,) = generate([request], workers=0)
    assert isinstance(failed, FailedClip)
    assert "black" in failed.reason
    assert failed.master is not None
    assert failed.master.data == film
