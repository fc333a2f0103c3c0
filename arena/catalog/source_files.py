"""Reads the first image or source video of a prompt: is it a file that every browser shows?

Only headers are read, so a small file that declares a huge picture costs nothing. Sources are not
converted: voters see the bytes that the models got.
"""

import hashlib
import warnings
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.sidedata.sidedata import Type
from PIL import Image, UnidentifiedImageError

from arena.errors import CatalogError

MEBIBYTE = 2**20
MAX_SOURCE_BYTES = 256 * MEBIBYTE
MAX_SIDE = 16_384  # pixels; browsers refuse larger pictures
IMAGE_TYPES = {
    "PNG": ("image/png", ".png"),
    "JPEG": ("image/jpeg", ".jpg"),
    "WEBP": ("image/webp", ".webp"),
    "GIF": ("image/gif", ".gif"),
}
IMAGE_ADVICE = "use a PNG, JPEG, WebP or GIF image"
EXIF_ORIENTATION = 0x0112
EXIF_SIDEWAYS = {5, 6, 7, 8}
MP4_BRANDS = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide")
MATROSKA = b"\x1aE\xdf\xa3"
# What current browsers decode, by container: codecs with their pixel formats.
EIGHT_BIT = {"yuv420p", "yuvj420p"}
TEN_BIT = EIGHT_BIT | {"yuv420p10le"}
MP4_CODECS = {"h264": EIGHT_BIT, "av1": TEN_BIT, "vp9": EIGHT_BIT}
WEBM_CODECS = {"vp8": EIGHT_BIT | {"yuva420p"}, "vp9": EIGHT_BIT | {"yuva420p"}, "av1": TEN_BIT}
VIDEO_ADVICE = (
    "convert it, for example with `ffmpeg -i IN -c:v libx264 -pix_fmt yuv420p -c:a aac OUT.mp4`"
)


@dataclass(frozen=True, eq=False)
class SourceFile:
    """A source that browsers show.

    Attributes:
        data: the file's bytes.
        media_type: such as `image/png` or `video/mp4`.
        suffix: the ending of a file of this type, with a dot.
        width, height: in pixels as shown: rotated and with square pixels.
        sha256: of the data, in hexadecimal.
    """

    data: bytes
    media_type: str
    suffix: str
    width: int
    height: int
    sha256: str


def read_source(path: Path) -> SourceFile:
    """Read a source and check that browsers show it.

    Raises:
        CatalogError: the file is missing, too large, or not a picture or video of such a type.
    """
    try:
        size = path.stat().st_size
        if size > MAX_SOURCE_BYTES:
            raise CatalogError(
                f"The source {path} has {size // MEBIBYTE} MiB: reduce it to "
                f"{MAX_SOURCE_BYTES // MEBIBYTE} MiB or less."
            )
        data = path.read_bytes()
    except OSError as error:
        raise CatalogError(f"The source {path} cannot be read: {error.strerror}.") from error
    if data[4:8] in MP4_BRANDS:
        media_type, suffix, (width, height) = "video/mp4", ".mp4", _video_size(path, data, "mov")
    elif data[:4] == MATROSKA:
        media_type, suffix = "video/webm", ".webm"
        width, height = _video_size(path, data, "matroska")
    else:
        media_type, suffix, (width, height) = _image(path, data)
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise CatalogError(
            f"The source {path} is {width} x {height} pixels: each side may have 1 to {MAX_SIDE}."
        )
    digest = hashlib.sha256(data).hexdigest()
    return SourceFile(data, media_type, suffix, width, height, digest)


def _image(path: Path, data: bytes) -> tuple[str, str, tuple[int, int]]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(BytesIO(data), formats=tuple(IMAGE_TYPES)) as image:
                media_type, suffix = IMAGE_TYPES[str(image.format)]
                width, height = image.size
                orientation = _orientation(image)
            with Image.open(BytesIO(data), formats=tuple(IMAGE_TYPES)) as image:
                image.verify()
    except Image.DecompressionBombError:
        raise CatalogError(
            f"The source {path} has too many pixels for an image: scale it down."
        ) from None
    except UnidentifiedImageError:
        raise CatalogError(
            f"The source {path} is neither an image nor a video that browsers show: {IMAGE_ADVICE},"
            " or an MP4 or WebM video."
        ) from None
    except (OSError, SyntaxError, ValueError) as error:
        raise CatalogError(
            f"The source {path} is a damaged image ({error}): {IMAGE_ADVICE} that opens."
        ) from None
    if orientation in EXIF_SIDEWAYS:
        width, height = height, width
    return media_type, suffix, (width, height)


def _orientation(image: Image.Image) -> int | None:
    exif = Image.Exif()
    exif.load(image.info.get("exif", b""))  # `getexif` would decode a PNG
    value = exif.get(EXIF_ORIENTATION)
    return value if isinstance(value, int) else None


def _video_size(path: Path, data: bytes, demuxer: str) -> tuple[int, int]:
    """Check that browsers play a video; return its width and height as shown."""
    try:
        with av.open(BytesIO(data), "r", format=demuxer, metadata_errors="replace") as container:
            return _check_video(path, container, demuxer)
    except FFmpegError as error:
        raise CatalogError(
            f"The source {path} is a damaged video ({error.strerror}): {VIDEO_ADVICE}."
        ) from None


def _check_video(path: Path, container: InputContainer, demuxer: str) -> tuple[int, int]:
    streams = [
        stream
        for stream in container.streams.video
        if not stream.disposition & stream.disposition.attached_pic
    ]
    if not streams:
        raise CatalogError(f"The source {path} has no video stream: {VIDEO_ADVICE}.")
    video = streams[0]
    codec = video.codec_context
    codecs = MP4_CODECS if demuxer == "mov" else WEBM_CODECS
    if codec.pix_fmt not in codecs.get(codec.name.removeprefix("lib"), set()):
        kind = "MP4" if demuxer == "mov" else "WebM"
        raise CatalogError(
            f"The source {path} is {codec.name} video of the pixel format {codec.pix_fmt} in "
            f"{kind}, which not every browser plays: {VIDEO_ADVICE}."
        )
    frame = next(container.decode(video), None)  # one, so that a damaged file is refused now
    if frame is None:
        raise CatalogError(f"The source {path} has no frame that decodes: {VIDEO_ADVICE}.")
    width, height = codec.width, codec.height
    if aspect := video.sample_aspect_ratio:
        width = round(width * aspect)
    sideways = Type.DISPLAYMATRIX in frame.side_data and frame.rotation % 180 != 0
    return (height, width) if sideways else (width, height)
