"""The instants of a track show the pictures that a player shows, and sound stays in step."""

from fractions import Fraction

import numpy as np
import pytest
from odd_videos import corner_frames, video
from small_clips import small_track, tone

from generator.errors import ClipError
from generator.media import decode, fit_to_track
from generator.media.decode import decode_for_track
from generator.media.timing import sample

TRACK = small_track(audio=False)
WITH_SOUND = small_track(audio=True)


def numbered(count: int) -> np.ndarray:
    """Frames whose grey level says which one they are."""
    levels = (16 + 6 * np.arange(count)).astype(np.uint8)
    return np.broadcast_to(levels[:, None, None, None], (count, 64, 96, 3)).copy()


def numbers(frames: np.ndarray) -> list[int]:
    levels = frames[:, 32, 48].astype(float).mean(axis=-1)
    return [round((level - 16) / 6) for level in levels]


def both_ways(data: bytes, track=TRACK):
    """Fit a file decoded as a whole, and one decoded for the track; they agree."""
    whole, changes = fit_to_track(decode(data), track)
    direct, direct_changes = fit_to_track(decode_for_track(data, track), track)
    assert numbers(whole.frames) == numbers(direct.frames)
    assert [c for c in direct_changes if "uneven" in c] == [c for c in changes if "uneven" in c]
    return direct, direct_changes


@pytest.mark.parametrize("container", ["mp4", "matroska", "mov"])
@pytest.mark.parametrize("start", [0.0, 1.4, 3600.0])
def test_time_counts_from_the_first_picture(container, start) -> None:
    data = video(
        numbered(24), container=container, times=[start + Fraction(i, 24) for i in range(24)]
    )
    fitted, _ = both_ways(data)
    assert numbers(fitted.frames) == list(range(24))


@pytest.mark.parametrize("container", ["mp4", "matroska"])
def test_motion_before_a_picture_that_stands_is_kept(container) -> None:
    # Twelve pictures in the first half second, then one that stands until the end.
    times = [Fraction(i, 24) for i in range(13)]
    durations = [Fraction(1, 24)] * 12 + [Fraction(1, 2)]
    data = video(numbered(13), container=container, times=times, durations=durations)
    fitted, _ = both_ways(data)
    assert numbers(fitted.frames) == [*range(13), *[12] * 11]


def test_uneven_times_are_sampled_once_and_this_is_said() -> None:
    times = [0, 0.1, 0.15, 0.4, 0.45, 0.5, 0.9, 0.95, 1.0]
    data = video(numbered(9), container="matroska", times=times)
    fitted, changes = both_ways(data)
    shown = numbers(fitted.frames)
    for k, number in enumerate(shown):
        # What a player shows at that instant, or what follows within half a usual gap.
        assert times[number] <= k / 24 + 1 / 16
        assert number + 1 == len(times) or times[number + 1] > k / 24
    assert any(change.startswith("sampled frames at uneven times") for change in changes)


def test_a_picture_that_stands_is_not_replaced_early() -> None:
    indices, even = sample([0, 1 / 24, 2 / 24, 1.0], 2.0, fps=Fraction(24), count=48)
    assert not even
    assert indices.index(3) in (23, 24)


@pytest.mark.parametrize(("fps", "count"), [(12, 12), (48, 48), (8, 8), (30, 30), (60, 60)])
def test_an_even_rate_is_converted_by_nearest_frame(fps, count) -> None:
    times = [i / fps for i in range(count)]
    indices, even = sample(times, count / fps, fps=Fraction(24), count=24)
    assert even
    nearest = [int(Fraction(i * fps, 24) + Fraction(1, 2)) for i in range(24)]
    assert indices == [min(count - 1, index) for index in nearest]


def test_rounding_to_milliseconds_keeps_the_rate_even() -> None:
    times = [round(1000 * i / 24) / 1000 for i in range(48)]
    indices, even = sample(times, 1.999, fps=Fraction(24), count=48)
    assert even
    assert indices == list(range(48))


def test_reordered_pictures_are_shown_in_order() -> None:
    options = {"bf": "3", "preset": "medium", "qp": "1", "x264-params": "bframes=3:b-adapt=0"}
    fitted, _ = both_ways(video(numbered(24), options=options))
    assert numbers(fitted.frames) == list(range(24))


def test_an_edit_list_that_starts_later_is_applied() -> None:
    data = bytearray(video(numbered(36), options={"g": "1"}))
    at = data.index(b"elst")
    header = data.index(b"mdhd")
    scale = int.from_bytes(data[header + 16 : header + 20], "big")
    # The one edit: duration in ms, then where it starts. Skip the first half second.
    data[at + 12 : at + 20] = (1000).to_bytes(4, "big") + (scale // 2).to_bytes(4, "big")
    fitted, _ = both_ways(bytes(data))
    assert numbers(fitted.frames) == list(range(12, 36))


def test_a_file_that_is_too_short_says_how_long_it_is() -> None:
    with pytest.raises(ClipError, match=r"lasts 0\.50 s.*needs 1\.00 s"):
        fit_to_track(decode_for_track(video(numbered(12)), TRACK), TRACK)
    times = [Fraction(i, 24) for i in range(13)]
    durations = [Fraction(1, 24)] * 12 + [Fraction(1, 5)]
    data = video(numbered(13), times=times, durations=durations)
    with pytest.raises(ClipError, match=r"lasts 0\.7\d s.*needs 1\.00 s"):
        fit_to_track(decode_for_track(data, TRACK), TRACK)


def click_at(second: float, seconds: float) -> np.ndarray:
    """Faint noise with one loud click."""
    noise = np.random.default_rng(0).normal(0, 0.003, (2, round(seconds * 48_000)))
    noise[:, round(second * 48_000) :][:, :480] += 0.7
    return noise.astype(np.float32)


def click_time(audio: np.ndarray) -> float:
    return float(np.argmax(np.abs(audio[0]) > 0.3)) / 48_000


@pytest.mark.parametrize("container", ["mp4", "matroska", "mov"])
@pytest.mark.parametrize(
    ("video_start", "sound_start"), [(0, 0), (0, 0.25), (0.25, 0), (1.4, 1.4), (2.0, 1.5)]
)
def test_sound_stays_in_step_with_the_pictures(container, video_start, sound_start) -> None:
    times = [Fraction(video_start) + Fraction(i, 24) for i in range(24)]
    sound = click_at(0.7, 2.0)
    data = video(
        corner_frames(),
        container=container,
        times=times,
        sounds=[(sound, 48_000, sound_start)],
        sound_codec="pcm_s16le" if container != "mp4" else "aac",
    )
    fitted, changes = fit_to_track(decode_for_track(data, WITH_SOUND), WITH_SOUND)
    expected = 0.7 + sound_start - video_start
    assert fitted.audio.shape == (2, 48_000)
    assert click_time(fitted.audio) == pytest.approx(expected, abs=0.01)
    said = [change for change in changes if "sound" in change]
    assert any("before the first frame" in change for change in said) == (sound_start < video_start)
    assert any("delayed" in change for change in said) == (sound_start > video_start)


def test_sound_of_a_silent_track_is_dropped_and_this_is_said() -> None:
    data = video(corner_frames(), sounds=[(tone(1.0), 48_000, 0)])
    raw = decode_for_track(data, TRACK)
    assert raw.audio is None
    assert "dropped the sound" in raw.adapted
