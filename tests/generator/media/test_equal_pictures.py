"""Every picture has the size that its place in the GOP prescribes, whatever it shows."""

from fractions import Fraction

import av
import numpy as np
import pytest
from small_clips import HEIGHT, WIDTH, ball_frames

from generator.errors import ClipError
from generator.media.equal_pictures import (
    FILLER,
    Layout,
    Picture,
    encode_pictures,
    fill,
    kinds,
    make_layout,
    slices_only,
    x264_options,
)

NOISE = np.random.default_rng(0)


def layout_of(frames: int, *, size: int = 30_000, gop: int = 12) -> Layout:
    return make_layout(
        width=WIDTH, height=HEIGHT, fps=Fraction(24), gop=gop, frames=frames, size=size
    )


def encoded(frames: np.ndarray, layout: Layout) -> list[Picture]:
    pictures = (
        av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="yuv420p")
        for frame in frames
    )
    options = x264_options(layout, "threads=1:lookahead-threads=1")
    return list(encode_pictures(pictures, layout, preset="veryfast", options=options))


def grain(count: int) -> np.ndarray:
    return NOISE.integers(0, 256, (count, HEIGHT, WIDTH, 3), dtype=np.uint8)


def net_bytes(pictures: list[Picture]) -> int:
    return sum(len(slices_only(each.data)) for each in pictures)


def test_the_types_of_pictures_depend_on_their_place_alone() -> None:
    assert kinds(8) == "IBBPBBPP"
    assert kinds(6) == "IBBPBP"
    assert kinds(1) == "I"


@pytest.mark.parametrize("count", [24, 25, 30, 1])
def test_clips_of_any_content_and_length_have_the_same_table_of_sizes(count: int) -> None:
    layout = layout_of(count)
    tables = set()
    for frames in (ball_frames(count), grain(count), np.zeros_like(grain(count))):
        pictures = encoded(frames, layout)
        by_time = sorted(pictures, key=lambda each: each.pts)
        assert [each.pts for each in by_time] == list(range(count))
        tables.add(tuple((each.dts, each.is_keyframe, len(each.data)) for each in pictures))
    assert len(tables) == 1


def test_the_sizes_add_up_to_the_bytes_that_are_given() -> None:
    total = sum(len(each.data) for each in encoded(ball_frames(24), layout_of(24)))
    assert 29_900 < total <= 30_000


def test_content_takes_most_of_the_bytes() -> None:
    pictures = encoded(grain(24), layout_of(24))
    assert net_bytes(pictures) > 0.75 * sum(len(each.data) for each in pictures)


def test_decoding_times_precede_presentation_and_only_rise() -> None:
    pictures = encoded(ball_frames(30), layout_of(30))
    assert all(each.dts <= each.pts for each in pictures)
    times = [each.dts for each in pictures]
    assert times == sorted(set(times))


def test_a_picture_that_cannot_be_made_small_enough_is_an_error() -> None:
    with pytest.raises(ClipError, match="exceeds its share"):
        encoded(grain(24), layout_of(24, size=2_000))


def test_filler_data_is_one_nal_unit_after_the_picture() -> None:
    picture = b"\x00\x00\x00\x01\x65abc"
    filled = fill(picture, 40)
    assert len(filled) == 40
    assert filled.startswith(picture + FILLER + b"\xff")
    assert slices_only(filled) == picture
    assert fill(picture, len(picture)) == picture
    with pytest.raises(ValueError, match="cannot be filled"):
        fill(picture, len(picture) + 1)
