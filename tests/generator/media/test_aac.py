"""AAC frames are filled to one size, and decode to the same samples."""

from io import BytesIO

import av
import numpy as np
import pytest

from generator.media.aac import MAX_FILL, MIN_FILL, fill_bytes, fill_frame
from generator.media.encode import _encode_aac
from generator.spec import AUDIO_RATE

NOISE = np.random.default_rng(0)
SIZE = 1000


def bursts() -> np.ndarray:
    """Silence with short bursts of noise, whose frames differ most in size; shape (2, N)."""
    time = np.arange(AUDIO_RATE) / AUDIO_RATE
    burst = NOISE.normal(0, 0.2, AUDIO_RATE) * (time % 0.3 < 0.03)
    return np.stack([burst, burst]).astype(np.float32)


def decoded(frames: list[bytes]) -> np.ndarray:
    """Decode raw AAC frames, each behind the ADTS header of its size."""
    data = b""
    for frame in frames:
        size = len(frame) + 7  # 48 kHz is rate 3, stereo is channel configuration 2
        header = (0xFFF1 << 40) | (0b01_0011_0_010 << 30) | (size << 13) | (0x7FF << 2)
        data += header.to_bytes(7) + frame
    with av.open(BytesIO(data), format="aac") as container:
        return np.concatenate([each.to_ndarray() for each in container.decode(audio=0)], axis=1)


def elements_of(data: bytes) -> list[int]:
    """Read fill elements only; return the number of payload bytes of each."""
    bits = "".join(f"{byte:08b}" for byte in data)
    counts, position = [], 0
    while position < len(bits):
        assert bits[position : position + 3] == "110"
        count = int(bits[position + 3 : position + 7], 2)
        position += 7
        if count == 15:
            count += int(bits[position : position + 8], 2) - 1
            position += 8
        counts.append(count)
        position += 8 * count
    assert position == len(bits)
    return counts


def test_every_possible_number_of_bytes_is_eight_complete_fill_elements() -> None:
    for count in range(MIN_FILL, MAX_FILL + 1):
        data = fill_bytes(count)
        assert len(data) == count
        assert len(elements_of(data)) == 8


@pytest.mark.parametrize("count", [MIN_FILL - 1, MAX_FILL + 1])
def test_other_numbers_of_bytes_are_rejected(count: int) -> None:
    with pytest.raises(ValueError, match="cannot be filled"):
        fill_bytes(count)


def test_filled_frames_have_one_size_and_the_same_samples() -> None:
    frames = [bytes(packet) for packet in _encode_aac(bursts(), kbps=128)]
    assert len({len(frame) for frame in frames}) > 10
    filled = [fill_frame(frame, SIZE) for frame in frames]
    complete = [frame for frame in filled if frame is not None]
    assert {len(frame) for frame in complete} == {SIZE}
    assert len(complete) == len(frames)
    assert np.array_equal(decoded(complete), decoded(frames))


def test_a_frame_that_is_too_large_is_not_filled() -> None:
    assert fill_frame(bytes(100), 100 + MIN_FILL - 1) is None
    assert fill_frame(bytes(100), 100 + MIN_FILL) is not None
