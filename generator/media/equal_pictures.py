"""Encode H.264 so that every picture has the size that its place in the GOP prescribes.

Sizes of pictures depend on the content, and so tell the models apart. Here each picture gets the
lowest quantizer at which it does not exceed its size, and filler data (NAL units of type 12) for
the small rest. x264 has no such mode: a closed GOP is encoded with a quantizer for each picture,
the quantizers are corrected by the sizes that result, and the GOP is encoded again.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice

import av
from av.codec.context import Flags
from av.video.frame import PictureType
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

from generator.errors import ClipError

BFRAMES = 2
# Sizes of pictures relative to each other. Of clips of generated video at a constant quantizer,
# keyframes are 4 to 12 times as large as the P pictures, and B pictures about 0.6 times.
WEIGHTS = {"I": 7.0, "P": 1.0, "B": 0.6}
MIN_QP, MAX_QP = 1, 51  # 0 would be lossless, which is another profile
FIRST_QP = 16
# That much more halves the size of a picture, roughly: of one that is predicted, less is needed.
QP_PER_OCTAVE = {"I": 6, "P": 3, "B": 3}
FULL_ENOUGH = 0.8  # of the size; the next quantizer would take about 12% more
SEARCHES, RAISES = 6, 16  # passes that change quantizers both ways, and that only raise them
# x264 shifts the quantizers of I and B pictures, and limits all to the range of the three types.
# These factors shift them by 25 below and above, so that all quantizers can be set.
FACTOR = 2 ** (-25 / 6)
NOMINAL_QP = 26
SHIFT = {"I": -25, "P": 0, "B": 25}

NAL_PREFIX = b"\x00\x00\x00\x01"
FILLER = NAL_PREFIX + b"\x0c"
TRAILING = b"\x80"
MIN_FILLER = len(FILLER) + len(TRAILING)


@dataclass(frozen=True)
class Layout:
    """What depends on the track alone: places in the GOP, and the sizes of the pictures."""

    width: int
    height: int
    fps: Fraction
    gop: int  # pictures between two keyframes
    frames: int
    sizes: dict[str, int]  # bytes by type of picture, as in the file


@dataclass(frozen=True)
class Picture:
    """An encoded picture, filled to its size. Times count frames."""

    data: bytes
    pts: int
    dts: int
    is_keyframe: bool


def kinds(count: int) -> str:
    """Return the types of the pictures of a closed GOP, in the order in which they are shown."""
    step = BFRAMES + 1
    return "".join(
        "I" if place == 0 else "P" if place % step == 0 or place == count - 1 else "B"
        for place in range(count)
    )


def make_layout(
    *, width: int, height: int, fps: Fraction, gop: int, frames: int, size: int
) -> Layout:
    """Distribute `size` bytes over the pictures of a clip, by their types."""
    types = "".join(kinds(min(gop, frames - start)) for start in range(0, frames, gop))
    unit = size / sum(WEIGHTS[kind] for kind in types)
    sizes = {kind: int(unit * weight) for kind, weight in WEIGHTS.items()}
    return Layout(width=width, height=height, fps=fps, gop=gop, frames=frames, sizes=sizes)


def x264_options(layout: Layout, *extra: str) -> str:
    """Return the options that all files of a track share, so that their headers agree."""
    return ":".join(
        (
            f"keyint={layout.gop}:min-keyint={layout.gop}:scenecut=0:open-gop=0",
            f"bframes={BFRAMES}:b-adapt=0:b-pyramid=none",
            f"qp={NOMINAL_QP}:ipratio={FACTOR:.6f}:pbratio={FACTOR:.6f}",
            *extra,
        )
    )


def encode_pictures(
    frames: Iterable[av.VideoFrame], layout: Layout, *, preset: str, options: str
) -> Iterator[Picture]:
    """Encode frames (yuv420p) and yield them in decoding order.

    Raises:
        ClipError: a picture exceeds its size even at the coarsest quantizer.
    """
    remaining = iter(frames)
    qps: list[int] = []
    for start in range(0, layout.frames, layout.gop):
        gop = list(islice(remaining, layout.gop))
        encoder = _GopEncoder(gop, layout, preset=preset, options=options)
        coded, qps = encoder.search(qps)
        for each in coded:
            size = layout.sizes[encoder.kinds[each.pts]]
            yield Picture(fill(each.data, size), start + each.pts, start + each.dts, each.pts == 0)


def fill(data: bytes, size: int) -> bytes:
    """Append filler data to NAL units in Annex B format; NAL units of 4 bytes of prefix.

    Raises:
        ValueError: the data are larger than the size, or too little smaller for filler data.
    """
    missing = size - len(data)
    if missing == 0:
        return data
    if missing < MIN_FILLER:
        raise ValueError(f"{missing} bytes cannot be filled")
    return data + FILLER + b"\xff" * (missing - MIN_FILLER) + TRAILING


class _GopEncoder:
    """Searches the quantizers of the pictures of one closed GOP."""

    def __init__(
        self, frames: Sequence[av.VideoFrame], layout: Layout, *, preset: str, options: str
    ) -> None:
        self.kinds = kinds(len(frames))
        self._frames, self._layout, self._preset, self._options = frames, layout, preset, options
        self._limits = [layout.sizes[kind] - MIN_FILLER for kind in self.kinds]

    def search(self, qps: Sequence[int]) -> tuple[list[Picture], list[int]]:
        """Return the pictures, none above its limit, and their quantizers.

        Args:
            qps: quantizers to start from, such as those of the GOP before.
        """
        count = len(self._frames)
        current = [*qps[:count], *[FIRST_QP] * (count - len(qps))]
        brackets = [_Bracket(QP_PER_OCTAVE[kind]) for kind in self.kinds]
        best: tuple[int, list[Picture], list[int]] | None = None
        for attempt in range(SEARCHES + RAISES):
            coded = self._encode(current)
            sizes = {each.pts: len(each.data) for each in coded}
            shares = [sizes[place] / limit for place, limit in enumerate(self._limits)]
            if max(shares) <= 1 and (best is None or sum(sizes.values()) > best[0]):
                best = sum(sizes.values()), coded, current
            changed = [
                bracket.next(qp, share, may_lower=attempt < SEARCHES)
                for bracket, qp, share in zip(brackets, current, shares, strict=True)
            ]
            if changed == current or (max(shares) <= 1 and _is_full(shares, current)):
                break
            current = changed
        if best is None:
            raise ClipError(
                "A picture exceeds its share of the track's bytes at the coarsest quantizer; "
                "increase the track's bytes and video_kbps."
            )
        return best[1], best[2]

    def _encode(self, qps: Sequence[int]) -> list[Picture]:
        zones = "/".join(
            f"{place},{place},q={qp + SHIFT[kind]}"
            for place, (kind, qp) in enumerate(zip(self.kinds, qps, strict=True))
        )
        context = av.CodecContext.create("libx264", "w")
        configure(context, self._layout)
        context.options = {
            "preset": self._preset,
            "profile": "high",
            "x264-params": f"{self._options}:zones={zones}",
        }
        pictures = []
        for place, frame in enumerate(self._frames):
            frame.pts, frame.time_base = place, 1 / self._layout.fps
            frame.pict_type = PictureType.NONE
            pictures += context.encode(frame)
        pictures += context.encode(None)
        coded = []
        for packet in pictures:
            if packet.pts is None or packet.dts is None:
                raise ValueError("the encoder returned a packet without a timestamp")
            coded.append(
                Picture(slices_only(bytes(packet)), packet.pts, packet.dts, packet.is_keyframe)
            )
        return coded


def _is_full(shares: Sequence[float], qps: Sequence[int]) -> bool:
    return all(share >= FULL_ENOUGH or qp == MIN_QP for share, qp in zip(shares, qps, strict=True))


class _Bracket:
    """The quantizers of a picture between which its size crosses the limit.

    Near the level of noise in the pictures one quantizer more can halve a size, elsewhere it takes
    six; so a step is estimated first, and halved between two quantizers that were tried.
    """

    def __init__(self, per_octave: int) -> None:
        self._per_octave = per_octave
        self._too_low, self._fits = MIN_QP - 1, MAX_QP + 1

    def next(self, qp: int, share: float, *, may_lower: bool) -> int:
        """Return the next quantizer to try, after `qp` gave this share of the limit."""
        change = self._per_octave * math.log2(share)
        if share > 1:
            self._too_low = max(self._too_low, qp)
            if self._fits <= qp:  # the pictures that it is predicted from have changed
                self._fits = MAX_QP + 1
            middle = (qp + self._fits + 1) // 2 if self._fits <= MAX_QP else MAX_QP
            return min(MAX_QP, qp + max(1, math.ceil(change)), max(middle, qp + 1))
        self._fits = min(self._fits, qp)
        if self._too_low >= qp:
            self._too_low = MIN_QP - 1
        if share >= FULL_ENOUGH or not may_lower:
            return qp
        # Half a step less: a picture that just exceeds its size costs another pass.
        estimate = qp + min(0, math.ceil(change + 0.5))
        return max(MIN_QP, estimate, (self._too_low + qp + 1) // 2 if self._too_low else MIN_QP)


def configure(context: av.VideoCodecContext, layout: Layout) -> None:
    """Set what the headers of the stream say, equal for all clips of a track."""
    context.width, context.height, context.pix_fmt = layout.width, layout.height, "yuv420p"
    context.framerate, context.time_base = layout.fps, 1 / layout.fps
    context.thread_count = 1
    context.flags |= Flags.bitexact | Flags.global_header
    context.color_range = ColorRange.MPEG
    context.colorspace = Colorspace.ITU709
    context.color_primaries = ColorPrimaries.BT709
    context.color_trc = ColorTrc.BT709


def slices_only(data: bytes) -> bytes:
    """Return the slices (NAL types 1 and 5) of an Annex B picture, each after a 4-byte prefix.

    This leaves out x264's SEI, in which it writes its name and options.
    """
    units = []
    start = data.find(NAL_PREFIX[1:])
    while start >= 0:
        start += len(NAL_PREFIX) - 1
        following = data.find(NAL_PREFIX[1:], start)
        unit = data[start:] if following < 0 else data[start:following]
        if unit and unit[0] & 0x1F in (1, 5):
            units.append(unit.rstrip(b"\x00"))
        start = following
    return b"".join(NAL_PREFIX + unit for unit in units)
