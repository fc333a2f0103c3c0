"""Of several streams, a player's choice is shown and heard; the choice is said."""

from fractions import Fraction
from io import BytesIO

import av
import numpy as np
import pytest
from av.stream import Disposition
from odd_videos import corner_frames, video
from small_clips import small_track, tone

from generator.errors import ClipError
from generator.media import decode, encode_rendition, fit_to_track
from generator.media.decode import decode_for_track
from generator.media.sound import measure_loudness
from generator.media.sound_reader import SoundReader

TRACK = small_track(audio=True)
SILENCE = np.zeros((2, 48_000), np.float32)
NONE, DEFAULT = Disposition(0), Disposition.default


def with_sounds(*sounds, marks, container="matroska", codec="pcm_s16le"):
    """Make a file of sounds whose streams are marked as given."""

    def finish(output) -> None:
        for stream, mark in zip(output.streams.audio, marks, strict=True):
            stream.disposition = mark

    return video(
        corner_frames(),
        container=container,
        sounds=[(sound, 48_000, 0.0) for sound in sounds],
        sound_codec=codec,
        finish=finish,
    )


def pitch(audio: np.ndarray) -> float:
    """Return the frequency of a tone by its zero crossings."""
    part = audio[0, 4800:43_200]
    return float(np.diff(np.signbit(part)).sum() / 2 / (part.size / 48_000))


@pytest.mark.parametrize(
    ("marks", "chosen"),
    [
        ((NONE, DEFAULT), 1),
        ((DEFAULT, NONE), 0),
        ((NONE, NONE), 0),
        ((Disposition.comment, NONE), 1),
        ((Disposition.visual_impaired | DEFAULT, DEFAULT), 1),
    ],
)
def test_the_stream_marked_as_default_is_heard(marks, chosen) -> None:
    low, loud = tone(1.0), tone(1.0, amplitude=0.5)
    data = with_sounds(low, loud, marks=marks)
    raw = decode_for_track(data, TRACK)
    assert np.abs(raw.audio).max() == pytest.approx((0.1, 0.5)[chosen], rel=0.05)
    assert f"took sound stream {chosen + 1} of 2" in raw.adapted


@pytest.mark.parametrize("marks", [(NONE, NONE), (DEFAULT, DEFAULT)])
def test_a_silent_stream_gives_way_to_one_that_is_marked_alike(marks) -> None:
    raw = decode_for_track(with_sounds(SILENCE, tone(1.0), marks=marks), TRACK)
    assert np.abs(raw.audio).max() > 0.05
    assert "took sound stream 2 of 2" in raw.adapted


def test_the_marked_stream_is_heard_even_if_it_is_silent() -> None:
    raw = decode_for_track(with_sounds(SILENCE, tone(1.0), marks=(DEFAULT, NONE)), TRACK)
    assert np.abs(raw.audio).max() < 0.001


def test_a_cover_picture_is_not_the_video() -> None:
    def finish(output) -> None:
        cover = output.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 32, 32, "yuvj420p"
        cover.disposition = Disposition.attached_pic

    data = video(corner_frames(), container="mp4", finish=finish)
    raw = decode(data)
    assert raw.frames.shape[1:3] == (64, 96)


@pytest.mark.parametrize(
    ("channels", "rate", "note"),
    [
        (1, 48_000, "mixed 1 channels to stereo"),
        (6, 48_000, "mixed 6 channels to stereo"),
        (2, 96_000, "resampled 96000 to 48000 Hz"),
        (2, 44_100, "resampled 44100 to 48000 Hz"),
        (2, 8_000, "resampled 8000 to 48000 Hz"),
    ],
)
def test_sound_of_other_layouts_and_rates_is_converted_and_this_is_said(
    channels, rate, note
) -> None:
    wave = np.repeat(tone(1.2, rate=rate)[:1], channels, axis=0)
    data = video(
        corner_frames(30),
        container="matroska",
        sounds=[(wave, rate, 0.0)],
        sound_codec="pcm_s16le",
    )
    fitted, changes = fit_to_track(decode_for_track(data, TRACK), TRACK)
    assert fitted.audio.shape == (2, 48_000)
    assert pitch(fitted.audio) == pytest.approx(440, rel=0.01)
    assert note in changes


def test_peaks_over_full_scale_are_kept_until_the_loudness_is_set_and_this_is_said() -> None:
    loud = tone(1.0, amplitude=3.0)
    data = video(
        corner_frames(), container="matroska", sounds=[(loud, 48_000, 0)], sound_codec="pcm_f32le"
    )
    fitted, changes = fit_to_track(decode_for_track(data, TRACK), TRACK)
    assert np.abs(fitted.audio).max() == pytest.approx(3.0, rel=0.01)
    assert "the sound's peaks are 9.5 dB over full scale" in changes
    heard = decode(encode_rendition(decode_for_track(data, TRACK), TRACK)).audio
    loudness, peak = measure_loudness(heard)
    assert loudness == pytest.approx(-23, abs=0.5)
    assert peak <= -1
    # A sine stays one: clipping would have added harmonics.
    spectrum = np.abs(np.fft.rfft(heard[0, 4800:43_200]))
    at = np.argmax(spectrum)
    assert spectrum[3 * at - 3 : 3 * at + 4].max() < spectrum[at] / 100


def test_a_gap_in_the_sound_is_silent_and_the_rest_stays_in_step() -> None:
    source = video(corner_frames(), container="matroska", sounds=[(tone(1.0), 48_000, 0)])
    buffer = BytesIO()
    with av.open(BytesIO(source)) as one, av.open(buffer, "w", format="matroska") as output:
        streams = {each.index: output.add_stream_from_template(each) for each in one.streams}
        for packet in one.demux():
            time = None if packet.pts is None else packet.pts * packet.time_base
            if time is None or (
                packet.stream.type == "audio" and Fraction(2, 5) < time < Fraction(3, 5)
            ):
                continue
            packet.stream = streams[packet.stream_index]
            output.mux(packet)
    raw = decode_for_track(buffer.getvalue(), TRACK)
    assert raw.audio.shape[1] == pytest.approx(48_000, abs=2500)
    assert np.abs(raw.audio[:, 24_000:26_400]).max() == 0
    assert np.abs(raw.audio[:, 40_000:42_400]).max() > 0.05
    assert any(note.startswith("filled a gap in the sound of 0.") for note in raw.adapted)


def test_sound_that_changes_its_format_is_refused() -> None:
    reader = SoundReader("clip.mkv", 0.0, 1.0, 1 << 20)
    for rate in (48_000, 44_100):
        frame = av.AudioFrame.from_ndarray(SILENCE, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts = rate, 0
        if rate == 48_000:
            reader.add(frame, Fraction(1, rate))
    with pytest.raises(ClipError, match=r"clip\.mkv changes the format of its sound"):
        reader.add(frame, Fraction(1, 44_100))


def reordered(data: bytes, container: str) -> bytes:
    """Write a file's streams in the opposite order."""
    buffer = BytesIO()
    with av.open(BytesIO(data)) as one, av.open(buffer, "w", format=container) as output:
        streams = {
            each.index: output.add_stream_from_template(each)
            for each in reversed(list(one.streams))
        }
        for packet in one.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                output.mux(packet)
    return buffer.getvalue()


@pytest.mark.parametrize("container", ["mp4", "matroska"])
def test_every_frame_is_shown_whatever_the_order_of_the_streams(container: str) -> None:
    options = {"bf": "3", "preset": "medium", "x264-params": "b-adapt=0"}
    source = video(corner_frames(), options=options, sounds=[(tone(1.0), 48_000, 0)])
    raw = decode(reordered(source, container))
    assert len(raw.frames) == 24
    assert raw.audio is not None
    assert raw.audio.shape[1] == pytest.approx(48_000, abs=1100)
