"""Colour of any range, matrix, depth and transfer becomes sRGB, or is refused by name."""

from fractions import Fraction
from io import BytesIO

import av
import numpy as np
import pytest
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from odd_videos import corner_frames, video
from small_clips import small_track

from generator.errors import ClipError
from generator.media import decode
from generator.media.decode import decode_for_track

TRACK = small_track(audio=False)
PATCH = (200, 60, 90)


def flat(colour=PATCH, *, width: int = 96, height: int = 64, count: int = 4) -> np.ndarray:
    return np.full((count, height, width, len(colour)), colour, np.uint8)


def encoded(frames, *, matrix, full, pix_fmt="yuv444p", tags=True):
    """Convert frames to a matrix and range; return them and what tags them so, or does not."""

    def prepared(pixels):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        return frame.reformat(
            format=pix_fmt,
            dst_colorspace=matrix,
            dst_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
        )

    codes = {Colorspace.ITU709: 1, Colorspace.ITU601: 6, Colorspace.BT2020: 9}

    def setup(stream) -> None:
        if tags:
            stream.codec_context.colorspace = codes[matrix]
            stream.codec_context.color_range = 2 if full else 1

    def tag(frame) -> None:
        frame.colorspace = codes[matrix] if tags else 2
        frame.color_range = (2 if full else 1) if tags else 0

    return [prepared(pixels) for pixels in frames], setup, tag


def file_of(ready, setup, tag):
    """Encode frames without loss in Matroska."""
    buffer = BytesIO()
    with av.open(buffer, "w", format="matroska") as output:
        stream = output.add_stream("ffv1", rate=24)
        stream.width, stream.height = ready[0].width, ready[0].height
        stream.pix_fmt = ready[0].format.name
        setup(stream)
        for index, frame in enumerate(ready):
            tag(frame)
            frame.pts, frame.time_base = index, Fraction(1, 24)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return buffer.getvalue()


def centre(data: bytes) -> list[int]:
    frame = decode(data).frames[0]
    return frame[frame.shape[0] // 2, frame.shape[1] // 2].astype(int).tolist()


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", [Colorspace.ITU709, Colorspace.ITU601, Colorspace.BT2020])
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv444p", "yuv422p10le", "yuv420p10le"])
def test_the_tagged_matrix_and_range_are_used(matrix, full, pix_fmt) -> None:
    data = file_of(*encoded(flat(), matrix=matrix, full=full, pix_fmt=pix_fmt))
    assert centre(data) == pytest.approx(PATCH, abs=3)
    adapted = decode(data).adapted
    assert ("converted full-range colour" in adapted) == full
    assert ("reduced 10-bit colour to 8 bits" in adapted) == ("10" in pix_fmt)
    assert not any("untagged" in change for change in adapted)


@pytest.mark.parametrize(
    ("size", "matrix", "name"),
    [((96, 64), Colorspace.ITU601, "BT.601"), ((1280, 720), Colorspace.ITU709, "BT.709")],
)
def test_untagged_colour_is_read_by_the_size_and_this_is_said(size, matrix, name) -> None:
    frames = flat(width=size[0], height=size[1], count=2)
    data = file_of(*encoded(frames, matrix=matrix, full=False, tags=False))
    assert centre(data) == pytest.approx(PATCH, abs=3)
    assert f"read untagged colour as {name}" in decode(data).adapted


def test_rgb_is_taken_as_it_is() -> None:
    frames = flat()
    data = video(frames, container="matroska", codec="ffv1", pix_fmt="bgr0")
    assert np.array_equal(decode(data).frames, frames)


def test_grey_is_shown_grey() -> None:
    frames = flat((130, 130, 130))
    data = video(frames, container="matroska", codec="ffv1", pix_fmt="gray")
    assert np.abs(decode(data).frames.astype(int) - 130).max() <= 2


def hdr_file(code: float, trc: int, primaries: int = ColorPrimaries.BT2020, colour=(1, 1, 1)):
    """Encode a flat colour whose channels are multiples of a code value from 0 to 1."""
    pixels = np.empty((64, 96, 3), np.uint16)
    pixels[...] = [round(code * share * 65535) for share in colour]
    frame = av.VideoFrame.from_ndarray(pixels, format="rgb48le")
    ready = [
        frame.reformat(
            format="yuv420p10le", dst_colorspace=Colorspace.BT2020, dst_color_range=ColorRange.MPEG
        )
        for _ in range(4)
    ]

    def setup(stream) -> None:
        context = stream.codec_context
        context.colorspace, context.color_range = 9, 1
        context.color_trc, context.color_primaries = trc, primaries

    def tag(frame) -> None:
        frame.colorspace, frame.color_range = 9, 1
        frame.color_trc, frame.color_primaries = trc, primaries

    return file_of(ready, setup, tag)


@pytest.mark.parametrize(
    ("trc", "name", "white", "grey"),
    [(ColorTrc.SMPTE2084, "PQ", 0.581, 0.403), (ColorTrc.ARIB_STD_B67, "HLG", 0.75, 0.38)],
)
def test_hdr_is_tone_mapped_and_this_is_said(trc, name, white, grey) -> None:
    # By ITU-R BT.2408 diffuse white is 58 % of PQ and 75 % of HLG; a grey card is 38 % of both.
    levels = [centre(hdr_file(code, trc))[0] for code in (0.0, grey, white, 0.9, 1.0)]
    assert levels == sorted(levels)
    assert levels[0] <= 2
    assert 100 <= levels[1] <= 150
    assert 220 <= levels[2] <= 245
    assert 250 <= levels[4]
    adapted = decode(hdr_file(0.5, trc)).adapted
    assert f"tone-mapped HDR ({name}, BT.2020) to BT.709" in adapted


def test_wide_primaries_are_converted() -> None:
    # BT.2020 red is more saturated than BT.709 can show, grey stays grey.
    red = centre(hdr_file(0.8, ColorTrc.BT709, colour=(1, 0.4, 0.4)))
    assert red[0] > 0.8 * 255 + 5
    assert red[1] < 0.4 * 0.8 * 255 - 5
    grey = centre(hdr_file(0.5, ColorTrc.BT709))
    assert max(grey) - min(grey) <= 2
    assert "converted BT.2020 colour to BT.709" in decode(hdr_file(0.5, ColorTrc.BT709)).adapted


@pytest.mark.parametrize("trc", [ColorTrc.LINEAR, ColorTrc.LOG])
def test_colour_that_is_not_for_display_is_refused(trc) -> None:
    with pytest.raises(ClipError, match=r"has (linear|logarithmic) colour"):
        decode(hdr_file(0.5, trc))


def test_an_unknown_matrix_is_refused() -> None:
    ready, _, _ = encoded(flat(), matrix=Colorspace.ITU709, full=False)

    def set_ycgco(stream) -> None:
        stream.codec_context.colorspace = 8

    def tag(frame) -> None:
        frame.colorspace = 8

    with pytest.raises(ClipError, match=r"matrix 8 \(ITU-T H\.273\)"):
        decode(file_of(ready, set_ycgco, tag))


def transparent_frames(count: int = 24) -> np.ndarray:
    """A moving opaque blue bar; all else is transparent, and white below."""
    frames = np.full((count, 64, 96, 4), (255, 255, 255, 0), np.uint8)
    for index in range(count):
        frames[index, :, 2 * index : 2 * index + 30] = (30, 30, 200, 255)
    return frames


@pytest.mark.parametrize(
    ("container", "codec", "pix_fmt"),
    [
        ("webm", "libvpx-vp9", "yuva420p"),
        ("webm", "libvpx", "yuva420p"),
        ("mov", "qtrle", "argb"),
        ("mov", "prores_ks", "yuva444p10le"),
        ("matroska", "ffv1", "bgra"),
        ("mov", "png", "rgba"),
    ],
)
def test_transparent_parts_are_black(container, codec, pix_fmt) -> None:
    data = video(
        transparent_frames(),
        container=container,
        codec=codec,
        pix_fmt=pix_fmt,
        source_format="rgba",
        options={"auto-alt-ref": "0"} if codec == "libvpx" else {},
        setup=lambda stream: stream.metadata.update({"alpha_mode": "1"}),
    )
    raw = decode(data)
    assert raw.frames[0, 32, 80].max() < 40
    assert raw.frames[0, 32, 15, 2] > 150
    assert "laid transparent parts on black" in raw.adapted
    smaller = decode_for_track(data, small_track(audio=False, width=48, height=32))
    assert smaller.frames[0, 16, 40].max() < 40
    # Half covered pixels are half as bright, whatever colour was hidden.
    assert smaller.frames[0, 16].max(axis=0)[0] < 60


def test_interlaced_video_is_deinterlaced_and_this_is_said() -> None:
    # Two fields of different moments: a bar that jumps between the lines.
    frames = np.full((24, 64, 96, 3), 40, np.uint8)
    for index in range(24):
        frames[index, 0::2, 2 * index : 2 * index + 20] = 220
        frames[index, 1::2, 2 * index + 1 : 2 * index + 21] = 220
    data = video(
        frames,
        container="mov",
        codec="libx264",
        options={"x264-params": "tff=1:interlaced=1", "preset": "medium"},
        setup=lambda stream: setattr(
            stream.codec_context, "flags", stream.codec_context.flags | 1 << 18
        ),
    )
    raw = decode(data)
    assert "deinterlaced" in raw.adapted
    assert len(raw.frames) == 24

    def combing(clip):
        lines = clip[4:20, 4:-4, :, 0].astype(int)
        return np.abs(2 * lines[:, 1:-1] - lines[:, :-2] - lines[:, 2:]).mean()

    assert combing(raw.frames) < combing(frames) / 2


def test_progressive_video_is_not_deinterlaced() -> None:
    raw = decode(video(corner_frames()))
    assert "deinterlaced" not in raw.adapted
