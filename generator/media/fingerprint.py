"""Everything that a served file says about where it came from, as numbers for a classifier.

`FILE_GROUPS` are what a program reads without decoding; `CONTENT_GROUPS` follow from the content:
how many bytes it takes, and what is heard; `PICTURE_GROUP` is what is seen.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from itertools import pairwise

import av
import numpy as np
from numpy.typing import NDArray

from generator.media.aac import ESCAPE, ID_FIL
from generator.media.decode import decode
from generator.media.mp4 import walk
from generator.media.sound import SILENCE

FILE_GROUPS = ("file size", "container", "picture sizes", "sound frame sizes", "frame types")
CONTENT_GROUPS = ("net bytes", "loudness", "silence")
PICTURE_GROUP = "pixels"

TABLES = {"stsz", "stco", "co64"}  # of sizes and positions, which have groups of their own
FILLER_NAL = 12
SLICE_NALS = (1, 5)
WINDOW_S = 0.1  # of the loudness curve
FLOOR_DB = -100.0
EDGE_S = 10.0  # silence at either end is measured up to here
GRID = 4  # pictures are described by this many rows and columns
SHOWN = 6  # pictures of a clip that are described


@dataclass
class _Streams:
    """Samples of a file, as they are stored."""

    pictures: list[bytes] = field(default_factory=list)
    sounds: list[bytes] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    keyframes: list[bool] = field(default_factory=list)


def fingerprint(data: bytes) -> dict[str, list[float]]:
    """Return the features of an MP4 file by group; lengths of a group can differ between files.

    Raises:
        ClipError: the file cannot be decoded.
    """
    streams = _read_streams(data)
    coded = [_nal_units(sample) for sample in streams.pictures]
    net = [sum(size for kind, size, _ in units if kind != FILLER_NAL) for units in coded]
    filler = [len(sample) - size for sample, size in zip(streams.pictures, net, strict=True)]
    fill = [_leading_fill(frame) for frame in streams.sounds]
    net_sound = [len(frame) - size for frame, size in zip(streams.sounds, fill, strict=True)]
    types = [
        float(value)
        for units, is_key in zip(coded, streams.keyframes, strict=True)
        for value in (is_key, *(kind for kind, _, _ in units), *(t for _, _, t in units))
    ]
    clip = decode(data)
    return {
        "file size": [float(len(data))],
        "container": _header(data),
        "picture sizes": [float(len(sample)) for sample in streams.pictures],
        "sound frame sizes": [float(len(frame)) for frame in streams.sounds],
        "frame types": [*types, *streams.times],
        "net bytes": [
            *(float(value) for value in (*net, *filler, *net_sound)),
            *_summary(net),
            *_summary(net_sound),
            float(_padding(data)),
        ],
        "loudness": [] if clip.audio is None else _loudness(clip.audio, clip.sample_rate or 1),
        "silence": [] if clip.audio is None else _silence(clip.audio, clip.sample_rate or 1),
        "pixels": _picture_features(clip.frames),
    }


def _read_streams(data: bytes) -> _Streams:
    streams = _Streams()
    with av.open(BytesIO(data), mode="r") as container:
        for packet in container.demux():
            if not packet.size:
                continue
            if packet.stream.type == "video":
                streams.pictures.append(bytes(packet))
                streams.keyframes.append(bool(packet.is_keyframe))
                for time in (packet.pts, packet.dts):
                    streams.times.append(float((time or 0) * (packet.time_base or 0)))
            elif packet.stream.type == "audio":
                streams.sounds.append(bytes(packet))
    return streams


def _header(data: bytes) -> list[float]:
    """Return all bytes before the media data, except tables; then the boxes' sizes."""
    boxes = list(walk(data))
    end = next((offset for path, offset, _ in boxes if path == ("mdat",)), len(data))
    masked = bytearray(data[:end])
    for path, offset, size in boxes:
        if path[-1] in TABLES:
            masked[offset : offset + size] = bytes(size)
    return [*map(float, masked), *(float(size) for _, _, size in boxes)]


def _nal_units(sample: bytes) -> list[tuple[int, int, int]]:
    """Return type, size with its length field, and slice type of each NAL unit; -1: no slice."""
    units, position = [], 0
    while position + 5 <= len(sample):
        (size,) = struct.unpack_from(">I", sample, position)
        kind = sample[position + 4] & 0x1F
        slice_type = _slice_type(sample[position + 5 : position + 21]) if kind in SLICE_NALS else -1
        units.append((kind, size + 4, slice_type))
        position += 4 + size
    return units


def _slice_type(header: bytes) -> int:
    """Return the second Exp-Golomb number of a slice header (ITU-T H.264, 7.3.3)."""
    bits = "".join(f"{byte:08b}" for byte in header)
    value, position = 0, 0
    for _ in range(2):
        zeros = len(bits[position:]) - len(bits[position:].lstrip("0"))
        value = int(bits[position + zeros : position + 2 * zeros + 1] or "1", 2) - 1
        position += 2 * zeros + 1
    return value


def _leading_fill(frame: bytes) -> int:
    """Return the number of bytes of the fill elements in front of an AAC frame."""
    bits, position = int.from_bytes(frame), 0
    total = 8 * len(frame)

    def read(count: int) -> int:
        return bits >> (total - position - count) & ((1 << count) - 1)

    while position + 15 <= total and read(3) == ID_FIL:
        count = read(7) & 0xF
        position += 7
        if count == ESCAPE:
            count += read(8) - 1
            position += 8
        position += 8 * count
    return position // 8


def _padding(data: bytes) -> int:
    return len(data) - len(data.rstrip(b"\x00"))


def _summary(values: list[int]) -> list[float]:
    if not values:
        return []
    array = np.array(values, float)
    return [array.mean(), array.std(), array.min(), array.max()]


def _loudness(audio: NDArray[np.float32], rate: int) -> list[float]:
    """Return the level in dB of each tenth of a second, and the spectrum in octaves."""
    mono = audio.mean(axis=0)
    window = max(1, round(rate * WINDOW_S))
    parts = mono[: len(mono) // window * window].reshape(-1, window)
    levels = _decibels(np.sqrt((parts**2).mean(axis=1)))
    spectrum = np.abs(np.fft.rfft(mono)) ** 2
    edges = [0, *(len(spectrum) // 2**octave for octave in range(9, -1, -1))]
    bands = [spectrum[a:b].mean() for a, b in pairwise(edges) if b > a]
    return [*levels, *_decibels(np.sqrt(bands))]


def _decibels(values: NDArray[np.floating]) -> list[float]:
    return [float(each) for each in 20 * np.log10(np.maximum(values, 10 ** (FLOOR_DB / 20)))]


def _silence(audio: NDArray[np.float32], rate: int) -> list[float]:
    """Return how long the sound is silent at the start and at the end, in seconds."""
    loud = np.flatnonzero(np.abs(audio).max(axis=0) > SILENCE)
    if not len(loud):
        return [EDGE_S, EDGE_S]
    ends = loud[0], audio.shape[1] - 1 - loud[-1]
    return [min(EDGE_S, float(end / rate)) for end in ends]


def _picture_features(frames: NDArray[np.uint8]) -> list[float]:
    """Return colours, contrast, detail and motion of some pictures, in a grid."""
    chosen = frames[np.linspace(0, len(frames) - 1, SHOWN).astype(int)].astype(np.float32)
    features: list[float] = []
    for index, frame in enumerate(chosen):
        luma = frame.mean(axis=2)
        detail = np.abs(np.diff(luma, axis=0)).mean(), np.abs(np.diff(luma, axis=1)).mean()
        fine = np.abs(
            4 * luma[1:-1, 1:-1]
            - luma[:-2, 1:-1]
            - luma[2:, 1:-1]
            - luma[1:-1, :-2]
            - luma[1:-1, 2:]
        ).mean()
        motion = 0.0 if index == 0 else float(np.abs(frame - chosen[index - 1]).mean())
        cells = [cell.mean() for row in _split(luma, 0) for cell in _split(row, 1)]
        colours = [*frame.mean(axis=(0, 1)), *frame.std(axis=(0, 1))]
        features += [*map(float, (*detail, fine, motion, *cells, *colours))]
    return features


def _split(values: NDArray[np.float32], axis: int) -> Iterator[NDArray[np.float32]]:
    yield from np.array_split(values, GRID, axis=axis)
