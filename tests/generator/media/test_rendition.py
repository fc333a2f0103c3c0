"""Renditions of a track differ in nothing but video and sound."""

from fractions import Fraction
from io import BytesIO

import av
import numpy as np
import pytest
from small_clips import FRAMES, HEIGHT, WIDTH, ball_clip, ball_frames, small_track, tone

from generator.clips import RawClip
from generator.errors import ClipError
from generator.media import decode, encode_master, encode_rendition
from generator.media.encode import make_rendition
from generator.media.fit import fit_to_track
from generator.media.mp4 import walk
from generator.media.sound import measure_loudness
from generator.spec import AUDIO_RATE

SILENT, WITH_SOUND = small_track(audio=False), small_track(audio=True)
NOISE = np.random.default_rng(0)


def contents() -> dict[str, RawClip]:
    """Return clips that differ as much as possible."""
    still = np.repeat(ball_frames(1), FRAMES, axis=0)
    grain = NOISE.integers(0, 256, (FRAMES, HEIGHT, WIDTH, 3), dtype=np.uint8)
    hiss = NOISE.normal(0, 0.3, (2, AUDIO_RATE)).astype(np.float32)
    return {
        "ball": ball_clip(),
        "black and silent": ball_clip(
            frames=np.zeros_like(still), audio=np.zeros((2, AUDIO_RATE), np.float32)
        ),
        "grain and hiss": ball_clip(frames=grain, audio=hiss),
        "still": ball_clip(frames=still, audio=tone(1.0, amplitude=0.9)),
        "cuts": ball_clip(frames=np.concatenate([grain[:12], still[:12]])),
    }


@pytest.fixture(scope="module")
def renditions() -> dict[str, bytes]:
    return {name: encode_rendition(clip, WITH_SOUND) for name, clip in contents().items()}


@pytest.fixture(scope="module")
def silent_renditions() -> dict[str, bytes]:
    return {name: encode_rendition(clip, SILENT) for name, clip in contents().items()}


def test_every_file_of_a_track_has_the_same_size(
    renditions: dict[str, bytes], silent_renditions: dict[str, bytes]
) -> None:
    assert {len(data) for data in renditions.values()} == {WITH_SOUND.bytes}
    assert {len(data) for data in silent_renditions.values()} == {SILENT.bytes}


def test_every_file_of_a_track_has_the_same_boxes(
    renditions: dict[str, bytes], silent_renditions: dict[str, bytes]
) -> None:
    for files in (renditions, silent_renditions):
        structures = {tuple(walk(data)) for data in files.values()}
        assert len(structures) == 1


def test_everything_before_the_media_data_is_the_same(renditions: dict[str, bytes]) -> None:
    headers = set()
    for data in renditions.values():
        start = next(offset for path, offset, _ in walk(data) if path == ("mdat",))
        headers.add(data[: start + 8])
    assert len(headers) == 1


def test_all_frames_of_sound_have_one_size_and_pictures_that_of_their_place(
    renditions: dict[str, bytes],
) -> None:
    tables = set()
    for data in renditions.values():
        with av.open(BytesIO(data)) as container:
            sizes: dict[str, list[int]] = {"video": [], "audio": []}
            for packet in container.demux():
                if packet.size:
                    sizes[packet.stream.type].append(packet.size)
        assert len(set(sizes["audio"])) == 1
        assert len(set(sizes["video"])) == 3  # keyframes, P and B pictures
        tables.add((*sizes["video"], *sizes["audio"]))
    assert len(tables) == 1


def test_no_file_names_the_encoder(
    renditions: dict[str, bytes], silent_renditions: dict[str, bytes]
) -> None:
    for data in (*renditions.values(), *silent_renditions.values()):
        for word in (b"x264", b"lavf", b"lavc", b"ffmpeg", b"udta", b"\xa9too"):
            assert word not in data.lower()


def test_the_headers_precede_the_media_data(renditions: dict[str, bytes]) -> None:
    outer = [path[0] for path, _, _ in walk(renditions["ball"]) if len(path) == 1]
    assert outer.index("moov") < outer.index("mdat")


def test_encoding_is_deterministic(renditions: dict[str, bytes]) -> None:
    clip = contents()["ball"]
    assert encode_rendition(clip, WITH_SOUND) == renditions["ball"]


def test_encoding_complex_frames_of_any_width_is_deterministic() -> None:
    track = small_track(audio=False, width=160, height=96)
    frames = ball_frames(width=160, height=96).astype(np.int16)
    noisy = frames + NOISE.normal(0, 30, frames.shape).astype(np.int16)
    clip = ball_clip(frames=noisy.clip(0, 255).astype(np.uint8))
    assert len({encode_rendition(clip, track) for _ in range(6)}) == 1


def test_streams_match_the_track(renditions: dict[str, bytes]) -> None:
    for data in renditions.values():
        with av.open(BytesIO(data)) as container:
            video, audio = container.streams.video[0], container.streams.audio[0]
            context = video.codec_context
            assert (video.codec.name, context.profile, context.pix_fmt) == (
                "h264",
                "High",
                "yuv420p",
            )
            assert (context.width, context.height) == (WIDTH, HEIGHT)
            assert (context.colorspace, context.color_range) == (1, 1)
            assert (context.color_primaries, context.color_trc) == (1, 1)
            assert video.average_rate == 24
            assert (audio.codec.name, audio.profile) == ("aac", "LC")
            assert (audio.rate, audio.layout.name) == (AUDIO_RATE, "stereo")
            assert abs(audio.duration * audio.time_base - 1) < Fraction(1, 24)
            assert len(list(container.decode(video))) == FRAMES


def test_keyframes_are_at_fixed_times(renditions: dict[str, bytes]) -> None:
    longer = small_track(audio=False, frames=60)
    frames = NOISE.integers(0, 256, (60, HEIGHT, WIDTH, 3), dtype=np.uint8)
    frames[:30] //= 8  # a cut, where an encoder would insert a keyframe by default
    data = encode_rendition(ball_clip(frames=frames), longer)
    with av.open(BytesIO(data)) as container:
        keys = [
            round(float(frame.time) * 24) for frame in container.decode(video=0) if frame.key_frame
        ]
    assert keys == [0, 24, 48]


def test_a_silent_track_has_no_sound_stream(silent_renditions: dict[str, bytes]) -> None:
    for data in silent_renditions.values():
        with av.open(BytesIO(data)) as container:
            assert [stream.type for stream in container.streams] == ["video"]


def test_loudness_is_normalized(renditions: dict[str, bytes]) -> None:
    for name in ("ball", "grain and hiss", "still"):
        audio = decode(renditions[name]).audio
        assert audio is not None
        loudness, peak = measure_loudness(audio)
        assert loudness == pytest.approx(-23, abs=0.3)
        assert peak <= -1


def test_transients_stay_below_the_ceiling_without_raising_the_loudness() -> None:
    time = np.arange(AUDIO_RATE) / AUDIO_RATE
    hits = np.sin(2 * np.pi * 900 * time) * np.exp(-((time % 0.25) * 90))
    clip = ball_clip(audio=np.stack([hits, hits]).astype(np.float32))
    audio = decode(encode_rendition(clip, WITH_SOUND)).audio
    assert audio is not None
    loudness, peak = measure_loudness(audio)
    assert peak <= -1
    assert -26 < loudness < -22.5


def test_silence_stays_silent(renditions: dict[str, bytes]) -> None:
    audio = decode(renditions["black and silent"]).audio
    assert audio is not None
    assert np.abs(audio).max() < 1e-4


def test_sound_stays_in_sync_with_its_frame() -> None:
    click = np.zeros((2, AUDIO_RATE), np.float32)
    click[:, 24_000:24_200] = 0.5
    audio = decode(encode_rendition(ball_clip(audio=click), WITH_SOUND)).audio
    assert audio is not None
    loud = np.flatnonzero(np.abs(audio[0]) > 0.2)
    assert loud[0] == pytest.approx(24_000, abs=48)  # a millisecond


def test_colours_are_preserved(renditions: dict[str, bytes]) -> None:
    shown = decode(renditions["ball"]).frames.astype(int)
    expected = ball_frames().astype(int)
    assert np.abs(shown - expected)[:, 2, 2].max() <= 4


def test_a_clip_that_is_too_large_is_encoded_at_a_lower_rate_and_this_is_recorded() -> None:
    tight = small_track(audio=True, bytes=32_000)
    fitted, _ = fit_to_track(contents()["grain and hiss"], tight)
    rendition = make_rendition(fitted, tight)
    assert len(rendition.data) == 32_000
    assert any("instead of 200 kbit/s" in change for change in rendition.adapted)
    assert len(decode(rendition.data).frames) == FRAMES


def test_a_track_with_too_few_bytes_is_rejected() -> None:
    with pytest.raises(ClipError, match="8000 bytes of the track"):
        encode_rendition(ball_clip(), small_track(audio=True, bytes=8_000))


def test_a_master_is_lossless() -> None:
    clip = contents()["grain and hiss"]
    decoded = decode(encode_master(clip))
    assert np.array_equal(decoded.frames, clip.frames)
    assert decoded.audio is not None
    assert clip.audio is not None
    assert np.abs(decoded.audio - clip.audio.clip(-1, 1)).max() < 1e-5
