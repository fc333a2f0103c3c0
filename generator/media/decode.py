"""Decode an untrusted media file to raw samples, within the limits of `probe`."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from generator.clips import RawClip
from generator.errors import ClipError
from generator.media.buffers import RELEASE_EVERY, allocate_frames, release_frames
from generator.media.pictures import Picture, PictureReader
from generator.media.probe import (
    DEFAULT_LIMITS,
    Limits,
    decode_error,
    inspect,
    open_container,
    read_source,
)
from generator.media.sound_reader import is_silent, read_sound
from generator.media.streams import sound_candidates
from generator.media.timing import Sampler
from generator.spec import TrackSettings

# Sound is read this much past the end of a track, so that resampling has what it needs.
MARGIN_S = 0.05
# Frames are not scaled below this size to fit into the limit of `decode`; the file is rejected.
MIN_BOX = (640, 360)
SUFFIXES = {"matroska": ".mkv", "gif": ".gif", "avi": ".avi"}

Audio = tuple[NDArray[np.float32] | None, int | None, tuple[str, ...]]


def decode(
    source: Path | bytes, *, limits: Limits = DEFAULT_LIMITS, until_s: float | None = None
) -> RawClip:
    """Decode the video and sound of a file; `original` of the result is the file.

    Frames are as a player shows them: upright, cropped, with square pixels, in sRGB, on black
    where they are transparent. Times count from the first one. Sound keeps its sample rate and
    starts with the first frame. Large frames are scaled down to fit into `limits.decoded_bytes`.

    Args:
        source: A path or the bytes of a file.
        limits: Limits above which the file is rejected.
        until_s: Stop decoding at this time, in seconds from the first frame.

    Raises:
        ClipError: The file is not MP4, QuickTime, Matroska, AVI or GIF, exceeds a limit, or is
            damaged.
    """
    name, data = read_source(source, limits)
    frames = np.empty((0, 1, 1, 3), np.uint8)
    times: list[float] = []
    with _reading(name, data, limits, until_s=until_s) as reader:
        expected = reader.info.frames
        if until_s is not None:
            expected = min(expected, round(until_s * float(reader.info.fps)) + 1)
        reader.box = _box(reader.info.width, reader.info.height, max(expected, 1), limits)
        for picture in reader:
            if until_s is not None and picture.time > until_s:
                break
            pixels = picture.pixels()
            if not times:
                # Rows that stay unused take no memory; a list and `np.stack` would take it twice.
                max_frames = min(limits.frames, limits.decoded_bytes // pixels.nbytes)
                frames = np.empty((max_frames, *pixels.shape), np.uint8)
            if len(times) >= len(frames):
                height, width = pixels.shape[:2]
                raise ClipError(
                    f"{name} has more than {len(frames)} frames of {width}x{height}; cut it or "
                    "scale it down."
                )
            frames[len(times)] = pixels
            times.append(picture.time)
        else:
            until_s = None
        end = reader.end if until_s is None else min(picture.time, until_s)
        seconds = limits.seconds if until_s is None else until_s
        audio, sample_rate, notes = _read_audio(name, data, reader, seconds, limits)
    sampler = Sampler(reader.info.fps, 0)
    for time in times:
        sampler.add(time)
    clip = RawClip(
        frames[: len(times)],
        _rate(reader, sampler, times[-1]),
        audio,
        sample_rate,
        original=data,
        original_suffix=_suffix(reader),
        adapted=(*reader.notes, *notes),
    )
    if sampler.is_even and abs(end - len(times) / float(clip.fps)) < 1 / float(clip.fps) / 2:
        return clip
    return replace(clip, times=tuple(times), end_s=end)


def decode_for_track(
    source: Path | bytes, track: TrackSettings, *, limits: Limits = DEFAULT_LIMITS
) -> RawClip:
    """Decode a file to a track's frame rate and length, scaled down to its size; see `decode`.

    Only the frames that the track shows are kept. A file that is too short yields fewer.

    Args:
        source: A path or the bytes of a file.
        track: The track; tracks without sound get none.
        limits: Limits above which the file is rejected.
    """
    name, data = read_source(source, limits)
    sampler = Sampler(track.fps, track.frames)
    frames = np.zeros((0, track.height, track.width, 3), np.uint8)
    box = track.width, track.height
    shown: Picture | None = None
    count, last = 0, 0.0
    with _reading(name, data, limits, until_s=track.duration_s, box=box) as reader:

        def show(picture: Picture, times: int) -> None:
            nonlocal frames, count
            if times:
                pixels = picture.pixels()
                if not len(frames):
                    frames = allocate_frames((track.frames, *pixels.shape))
                frames[count : count + times] = pixels
                count += times
                if count % RELEASE_EVERY < times:
                    release_frames(frames)

        for picture in reader:
            times = sampler.add(picture.time)
            if shown is not None:
                show(shown, times)
            shown, last = picture, picture.time
            if sampler.is_full:
                break
        else:
            if shown is not None:
                show(shown, sampler.finish(reader.end))
        seconds = track.duration_s + MARGIN_S
        silent = ("dropped the sound",) if reader.info.audio_codec is not None else ()
        sound: Audio = (None, None, silent)
        if track.audio:
            sound = _read_audio(name, data, reader, seconds, limits)
        audio, sample_rate, notes = sound
    if not count:
        raise ClipError(f"{name} has no frame that lasts long enough to be shown; cut it anew.")
    timing = _describe_timing(reader, sampler, last, track)
    return RawClip(
        frames[:count],
        track.fps,
        audio,
        sample_rate,
        original=data,
        original_suffix=_suffix(reader),
        adapted=(*reader.notes, *timing, *notes),
    )


def read_pictures(
    source: Path | bytes, *, limits: Limits = DEFAULT_LIMITS, box: tuple[int, int] | None = None
) -> Iterator[Picture]:
    """Yield the pictures of a file, one in memory at a time, scaled down into a box if given.

    Raises:
        ClipError: as `decode`.
    """
    name, data = read_source(source, limits)
    with _reading(name, data, limits, box=box) as reader:
        yield from reader


def read_audio(source: Path | bytes, *, limits: Limits = DEFAULT_LIMITS) -> Audio:
    """Return the sound of a file (channels, N), its sample rate, and what was changed.

    Raises:
        ClipError: as `decode`.
    """
    name, data = read_source(source, limits)
    with _reading(name, data, limits) as reader:
        next(iter(reader), None)
        return _read_audio(name, data, reader, limits.seconds, limits)


@contextmanager
def _reading(
    name: str,
    data: bytes,
    limits: Limits,
    *,
    until_s: float | None = None,
    box: tuple[int, int] | None = None,
) -> Iterator[PictureReader]:
    try:
        with open_container(name, data, limits) as container:
            info = inspect(name, container, data, limits, until_s=until_s)
            yield PictureReader(name, container, data, info, limits=limits, box=box)
    except FFmpegError as error:
        raise decode_error(name, error) from None


def _read_audio(
    name: str, data: bytes, reader: PictureReader, seconds: float, limits: Limits
) -> Audio:
    """Read the sound that belongs to the pictures that were read."""
    index = 0
    first: Audio | None = None
    while True:
        # Opened anew for each stream: decoding has to start at the beginning.
        with open_container(name, data, limits) as container:
            candidates = sound_candidates(container)
            if index >= len(candidates):
                return first or (None, None, ())
            stream = candidates[index]
            sound = read_sound(
                name, container, stream, start=reader.start, seconds=seconds, limits=limits
            )
            streams = list(container.streams.audio)
            audio, notes = sound.result(), tuple(sound.notes)
            if len(streams) > 1:
                number = [each.index for each in streams].index(stream.index) + 1
                notes = (f"took sound stream {number} of {len(streams)}", *notes)
        if not is_silent(audio):
            return audio, sound.rate, notes
        first = first or (audio, sound.rate or None, notes)
        index += 1


def _box(width: int, height: int, frames: int, limits: Limits) -> tuple[int, int] | None:
    """Return the size into which frames are scaled so that all of them fit into the limit."""
    scale = (limits.decoded_bytes / (frames * width * height * 3)) ** 0.5
    smallest = min(1.0, max(MIN_BOX[0] / width, MIN_BOX[1] / height))
    if scale >= 1 or smallest >= 1:
        return None
    scale = max(scale * 0.99, smallest)
    longest = max(round(width * scale), round(height * scale))  # either way up
    return longest, longest


def _rate(reader: PictureReader, sampler: Sampler, last: float) -> Fraction:
    """Return the frame rate by the pictures' times, as declared if that agrees."""
    if sampler.pictures < 2 or last <= 0:
        return reader.info.fps
    measured = (sampler.pictures - 1) / last
    declared = reader.info.fps
    if abs(measured / float(declared) - 1) < 0.01:
        return declared
    return Fraction(measured).limit_denominator(1001)


def _describe_timing(
    reader: PictureReader, sampler: Sampler, last: float, track: TrackSettings
) -> tuple[str, ...]:
    rate = _rate(reader, sampler, last)
    notes = []
    if not sampler.is_even:
        notes.append(
            f"sampled frames at uneven times (mean {float(rate):.4g}/s) at "
            f"{float(track.fps):g} frames/s"
        )
    elif rate != track.fps and sampler.pictures > 1:
        notes.append(f"changed {float(rate):g} to {float(track.fps):g} frames/s by nearest frame")
    if sampler.is_full:
        shown = round(track.frames / track.fps * rate)
        total = max(reader.info.frames, sampler.pictures)
        if total > shown:
            notes.append(f"cut {total} to {shown} frames")
    return tuple(notes)


def _suffix(reader: PictureReader) -> str:
    demuxer = reader.info.demuxer.split(",")[0]
    return SUFFIXES.get(demuxer, ".mp4")
