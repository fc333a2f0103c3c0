"""Convert decoded frames of any colour space, depth and range to 8-bit sRGB."""

from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import Any

import av
import numpy as np
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame
from av.video.reformatter import (
    ColorPrimaries,
    ColorRange,
    Colorspace,
    ColorTrc,
    Interpolation,
    VideoReformatter,
)
from numpy.typing import NDArray

from generator.errors import ClipError
from generator.media.geometry import Geometry, side_data

SDR_WHITE_NITS = 203.0  # luminance of diffuse white in HDR video (ITU-R BT.2408)
HLG_PEAK_NITS = 1000.0  # of the display that HLG's system gamma of 1.2 is for (ITU-R BT.2100)
KNEE = 0.6  # linear light up to which tone mapping changes nothing; 1 is white
# Untagged video is BT.709 if it is larger than standard definition, as players assume.
SD_HEIGHT, SD_WIDTH = 576, 1280

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]


class Matrix(IntEnum):
    """Matrix coefficients by their numbers in ITU-T H.273."""

    RGB = 0
    BT709 = 1
    UNSPECIFIED = 2
    RESERVED = 3
    FCC = 4
    BT470BG = 5
    SMPTE170M = 6
    SMPTE240M = 7
    BT2020 = 9


# swscale's numbers of the matrices that it knows.
_SWSCALE = {
    Matrix.BT709: Colorspace.ITU709,
    Matrix.FCC: Colorspace.FCC,
    Matrix.BT470BG: Colorspace.ITU601,
    Matrix.SMPTE170M: Colorspace.SMPTE170M,
    Matrix.SMPTE240M: Colorspace.SMPTE240M,
    Matrix.BT2020: Colorspace.BT2020,
}
_HDR = {int(ColorTrc.SMPTE2084): "PQ", int(ColorTrc.ARIB_STD_B67): "HLG"}
_UNSUITABLE_TRC = {
    int(ColorTrc.LINEAR): "linear",
    int(ColorTrc.LOG): "logarithmic",
    int(ColorTrc.LOG_SQRT): "logarithmic",
    int(ColorTrc.SMPTE428): "digital cinema",
}
# From linear light of these primaries to that of BT.709 (ITU-R BT.2087; SMPTE RP 431-2 and EG
# 432-1 with a white of D65).
_BT2020_TO_BT709 = (
    (1.6605, -0.5876, -0.0728),
    (-0.1246, 1.1329, -0.0083),
    (-0.0182, -0.1006, 1.1187),
)
_P3_TO_BT709 = ((1.2249, -0.2247, 0.0), (-0.0420, 1.0419, 0.0), (-0.0197, -0.0786, 1.0979))
_WIDE = {
    int(ColorPrimaries.BT2020): ("BT.2020", _BT2020_TO_BT709),
    int(ColorPrimaries.SMPTE431): ("P3", _P3_TO_BT709),
    int(ColorPrimaries.SMPTE432): ("P3", _P3_TO_BT709),
}


@dataclass(frozen=True)
class Colour:
    """How the frames of a file are converted.

    Attributes:
        matrix: swscale's number of the source's matrix; None for RGB and grey.
        full_range: Whether 0 is black and the maximum white; None to let swscale decide.
        has_alpha: Whether the frames are laid on black.
        transfer: "PQ" or "HLG" for high dynamic range, else None.
        primaries: Matrix of linear light to BT.709, if the primaries are wider.
        notes: Descriptions for the provenance.
    """

    matrix: int | None
    full_range: bool | None
    has_alpha: bool
    transfer: str | None
    primaries: tuple[tuple[float, ...], ...] | None
    notes: tuple[str, ...]


def read_colour(name: str, frame: VideoFrame) -> Colour:
    """Return how a file's frames are converted, from the tags of its first one.

    Raises:
        ClipError: The colours cannot be converted.
    """
    form, notes = frame.format, []
    has_alpha = any(component.is_alpha for component in form.components)
    if has_alpha:
        notes.append("laid transparent parts on black")
    matrix, full_range = None, None
    if not form.is_rgb and len(form.components) > 2:
        matrix, guess = _read_matrix(name, frame)
        notes += guess
        full_range = frame.color_range == ColorRange.JPEG or form.name.startswith("yuvj")
        if full_range:
            notes.append("converted full-range colour")
    depth = max((component.bits for component in form.components), default=8)
    if depth > 8:
        notes.append(f"reduced {depth}-bit colour to 8 bits")
    trc = int(frame.color_trc)
    if trc in _UNSUITABLE_TRC:
        raise ClipError(f"{name} has {_UNSUITABLE_TRC[trc]} colour; convert it to BT.709.")
    _check_dolby_vision(name, frame)
    transfer, wide = _HDR.get(trc), _WIDE.get(int(frame.color_primaries))
    if transfer is not None:
        gamut, primaries = wide or ("BT.2020", _BT2020_TO_BT709)
        notes.append(f"tone-mapped HDR ({transfer}, {gamut}) to BT.709")
    elif wide is not None:
        gamut, primaries = wide
        notes.append(f"converted {gamut} colour to BT.709")
    else:
        primaries = None
    return Colour(matrix, full_range, has_alpha, transfer, primaries, tuple(notes))


def _read_matrix(name: str, frame: VideoFrame) -> tuple[int, list[str]]:
    number = int(frame.colorspace)
    if number in (Matrix.UNSPECIFIED, Matrix.RESERVED, Matrix.RGB):
        if int(frame.color_trc) in _HDR:
            return Colorspace.BT2020, []
        large = frame.height > SD_HEIGHT or frame.width >= SD_WIDTH
        notes = [f"read untagged colour as {'BT.709' if large else 'BT.601'}"]
        return (Colorspace.ITU709 if large else Colorspace.ITU601), notes
    known = {int(matrix): code for matrix, code in _SWSCALE.items()}
    if number not in known:
        raise ClipError(
            f"{name} has colour of matrix {number} (ITU-T H.273), which is not supported; "
            "convert it to BT.709."
        )
    return known[number], []


def _check_dolby_vision(name: str, frame: VideoFrame) -> None:
    # Other profiles have a base layer with tags of its own; profile 5 has none.
    kinds = side_data(frame).keys()
    untagged = int(frame.color_trc) == ColorTrc.UNSPECIFIED
    if untagged and kinds & {Type.DOVI_METADATA, Type.DOVI_RPU_BUFFER}:
        raise ClipError(f"{name} is Dolby Vision without a base layer; convert it to BT.709.")


def to_rgb(
    reformatter: VideoReformatter, frame: VideoFrame, colour: Colour, geometry: Geometry
) -> Pixels:
    """Return a frame as sRGB of shape (H, W, 3), cropped and scaled, not yet turned.

    Args:
        reformatter: Keeps swscale's tables between frames.
        frame: The decoded frame.
        colour: From `read_colour`.
        geometry: From `read_geometry`.
    """
    size = geometry.width, geometry.height
    if colour.has_alpha or any(geometry.cropping):
        frame = _flat(frame, colour, geometry)
        colour = Colour(None, None, False, colour.transfer, colour.primaries, ())
    high_depth = colour.transfer is not None or colour.primaries is not None
    pixels = _reformat(reformatter, frame, colour, size, "rgb48le" if high_depth else "rgb24")
    if high_depth:
        return _to_srgb(pixels.view(np.uint16), colour)
    return pixels.astype(np.uint8, copy=False)


def _reformat(
    reformatter: VideoReformatter,
    frame: VideoFrame,
    colour: Colour,
    size: tuple[int, int],
    pixel_format: str,
) -> NDArray[Any]:
    smaller = size[0] < frame.width or size[1] < frame.height
    interpolation = None
    if size != (frame.width, frame.height):
        # As in `fit`: area averaging avoids flicker of small details, Lanczos keeps edges sharp.
        interpolation = Interpolation.AREA if smaller else Interpolation.LANCZOS
    source_range = None
    if colour.full_range is not None:
        source_range = ColorRange.JPEG if colour.full_range else ColorRange.MPEG
    converted = reformatter.reformat(
        frame,
        *size,
        pixel_format,
        src_colorspace=colour.matrix,
        src_color_range=source_range,
        interpolation=interpolation,
        threads=1,
    )
    return converted.to_ndarray()


def _flat(frame: VideoFrame, colour: Colour, geometry: Geometry) -> VideoFrame:
    """Return the frame in RGB, its transparent parts on black, cropped."""
    deep = colour.transfer is not None or colour.primaries is not None
    names = {(False, True): "rgba", (False, False): "rgb24", (True, True): "rgba64le"}
    pixel_format = names.get((deep, colour.has_alpha), "rgb48le")
    size = frame.width, frame.height
    pixels = _reformat(VideoReformatter(), frame, colour, size, pixel_format)
    left, top, right, bottom = geometry.cropping
    pixels = pixels[top : size[1] - bottom, left : size[0] - right]
    if colour.has_alpha:
        # Before scaling, so that the hidden colour of transparent pixels does not bleed.
        maximum = np.float32(np.iinfo(pixels.dtype).max)
        rows = [row[:, :3] * (row[:, 3:] / maximum) + 0.5 for row in pixels]
        pixels = np.stack([row.astype(pixels.dtype) for row in rows])
    plain = np.ascontiguousarray(pixels)
    return av.VideoFrame.from_ndarray(plain, format="rgb48le" if deep else "rgb24")


def _to_srgb(pixels: NDArray[np.uint16], colour: Colour) -> Pixels:
    """Convert (H, W, 3) of 16 bits through linear light, in rows to save memory."""
    result = np.empty(pixels.shape, np.uint8)
    matrix = np.array(colour.primaries, np.float32).T
    to_linear, to_code = _linear_light(colour.transfer), _srgb_codes()
    step = max(1, (1 << 18) // pixels.shape[1])
    for start in range(0, len(pixels), step):
        light: Floats = to_linear[pixels[start : start + step]]
        if colour.transfer == "HLG":
            luminance = light @ np.array((0.2627, 0.6780, 0.0593), np.float32)
            light = light * (np.maximum(luminance, 1e-6) ** np.float32(0.2))[..., None]
            light *= np.float32(HLG_PEAK_NITS / SDR_WHITE_NITS)
        light = np.maximum(light @ matrix, 0)
        if colour.transfer is not None:
            light = _tone_map(light)
        codes = (np.minimum(light, 1) * np.float32(len(to_code) - 1) + np.float32(0.5)).astype(int)
        result[start : start + step] = to_code[codes]
    return result


def _tone_map(light: Floats) -> Floats:
    """Compress light above the knee towards white, keeping the ratio of the channels."""
    peak = light.max(axis=-1, keepdims=True)
    above = np.maximum(peak - np.float32(KNEE), 0)
    mapped = np.minimum(peak, KNEE) + np.float32(1 - KNEE) * (1 - np.exp(-above / (1 - KNEE)))
    scaled: Floats = light * (mapped / np.maximum(peak, 1e-6))
    return scaled


@cache
def _linear_light(transfer: str | None) -> Floats:
    """Return linear light by 16-bit code: 1 is white, or HLG's scene light from 0 to 1."""
    code = np.arange(1 << 16) / ((1 << 16) - 1)
    if transfer == "PQ":  # SMPTE ST 2084
        m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
        root = code ** (1 / m2)
        nits = 10_000 * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)
        return (nits / SDR_WHITE_NITS).astype(np.float32)
    if transfer == "HLG":  # ITU-R BT.2100
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        scene = np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)
        return scene.astype(np.float32)
    linear = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    return linear.astype(np.float32)


@cache
def _srgb_codes() -> Pixels:
    """Return 8-bit sRGB by linear light in steps of 1 / 65535."""
    light = np.arange(1 << 16) / ((1 << 16) - 1)
    code = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.round(255 * code).astype(np.uint8)
