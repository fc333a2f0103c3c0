"""The image or the video of a prompt, as a service gets it."""

import base64
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

from PIL import Image

from generator.backends.api.schema import Order
from generator.backends.ordering import missing_source, sha256, source_image
from generator.clips import ClipRequest
from generator.errors import ClipError
from generator.media import Limits, decode_for_track, encode_rendition
from generator.media.probe import read_source

PNG, JPEG, MP4 = "image/png", "image/jpeg", "video/mp4"
SUFFIXES = {PNG: ".png", JPEG: ".jpg", MP4: ".mp4"}
JPEG_QUALITY = 95  # of an image that is too large as PNG


@dataclass(frozen=True)
class Source:
    """A file of a prompt.

    Attributes:
        placeholder: where it is put into the body: image or video.
        kind: its media type.
        data: the file.
        identity: what the journal compares: a hash.
        address: where the service finds it; None: the file is sent.
        adapted: what was changed.
    """

    placeholder: str
    kind: str
    data: bytes = field(repr=False)
    identity: str
    address: str | None = None
    adapted: tuple[str, ...] = ()

    def value(self, order: Order) -> str:
        """What the order names, of a source that is not uploaded."""
        if self.address is not None:
            return self.address
        encoded = base64.b64encode(self.data).decode()
        return encoded if order.source_as == "base64" else f"data:{self.kind};base64,{encoded}"


def find_source(
    request: ClipRequest, order: Order, size: tuple[int, int], *, sources_url: str | None
) -> Source | None:
    """The source of a request, in the clip's size and without metadata; None if there is none.

    Args:
        request: of the clip.
        order: says how the source is sent.
        size: width and height that are asked for.
        sources_url: the address of the folder in which the operator serves the sources.

    Raises:
        ClipError: the prompt has no source, or it cannot be read or is too large.
    """
    modality = request.track.modality
    if modality == "text-to-video":
        return None
    placeholder = "image" if modality == "image-to-video" else "video"
    if request.source is None:
        raise missing_source(request, "an image" if placeholder == "image" else "a video")
    if order.source_as == "address":
        return Source(
            placeholder,
            kind="",
            data=b"",
            identity=f"name:{request.source.name}",
            address=f"{(sources_url or '').rstrip('/')}/{quote(request.source.name)}",
            adapted=("the source was sent as it is, not in the track's size",),
        )
    if placeholder == "image":
        return _image(request, order, size)
    return _video(request, request.source, order)


def _image(request: ClipRequest, order: Order, size: tuple[int, int]) -> Source:
    png = source_image(request, size)
    identity = f"sha256:{sha256(png)}"
    if len(png) <= order.source_mib * 2**20:
        return Source("image", PNG, png, identity)
    buffer = BytesIO()
    Image.open(BytesIO(png)).save(buffer, "JPEG", quality=JPEG_QUALITY)
    _check_size(request, order, buffer.getvalue())
    return Source("image", JPEG, buffer.getvalue(), identity, adapted=("sent the image as JPEG",))


def _video(request: ClipRequest, path: Path, order: Order) -> Source:
    """The source video as a rendition of the track: its size, rate, length and sound."""
    _, data = read_source(path, Limits())
    raw = decode_for_track(data, request.track)
    video = encode_rendition(raw, request.track)
    _check_size(request, order, video)
    return Source("video", MP4, video, f"sha256:{sha256(data)}")


def _check_size(request: ClipRequest, order: Order, data: bytes) -> None:
    if len(data) > order.source_mib * 2**20:
        raise ClipError(
            f"The source of prompt {request.prompt_id} has {len(data) / 2**20:.1f} MiB as it would "
            f"be sent, and the service takes {order.source_mib:g}; use a smaller track."
        )
