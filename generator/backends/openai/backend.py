"""The openai backend: any model that a server offers as the OpenAI Videos API."""

import math
import time
from datetime import UTC, datetime
from io import BytesIO
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from generator.backends.meter import installed_versions
from generator.backends.openai.options import (
    check_call,
    choose_seconds,
    choose_size,
    read_key,
    read_options,
)
from generator.backends.openai.rate_limit import SharedRateLimit
from generator.clips import ClipRequest, Provenance, RawClip
from generator.errors import BackendError, ClipError
from generator.media import Limits, decode_for_track
from generator.media.images import load_image
from generator.spec import Entrant, TrackSettings

if TYPE_CHECKING:
    from openai.types import Video

    from generator.backends.openai.client import VideosApi

PACKAGES = ("openai", "av")
MAX_LENGTH_RATIO = 10  # what was asked for: a length beyond it is a mistake of the server's
IMAGE_NAME, IMAGE_TYPE = "first.png", "image/png"


class OpenaiBackend:
    """Orders a video, waits for it, downloads it, and decodes it within limits."""

    def __init__(self, entrant: Entrant) -> None:
        self.entrant = entrant
        self._api: VideosApi | None = None

    @property
    def workers(self) -> int | None:
        """The spec's `concurrency`: they wait for the network, and the server for them."""
        return read_options(self.entrant).concurrency

    def check(self, track: TrackSettings) -> None:
        """Refuse wrong options, keys in the spec, a variable that is not set, other tracks."""
        options = read_options(self.entrant)
        read_key(self.entrant, options)
        check_call(self.entrant, options, track)

    def __enter__(self) -> Self:
        # The client takes a second to import: `check` does without.
        from generator.backends.openai.client import VideosApi

        options = read_options(self.entrant)
        key = read_key(self.entrant, options)
        self._api = VideosApi.connect(self.entrant.name, options, key)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._api is not None:
            self._api.close()
            self._api = None

    def generate(self, request: ClipRequest) -> tuple[RawClip, Provenance]:
        """The server's video of the request's prompt; its file is the master."""
        api = self._api
        if api is None:
            raise BackendError(f"{self.entrant.name} is not connected; enter its backend first.")
        options, track = api.options, request.track
        seconds = choose_seconds(self.entrant, options, track)
        size = choose_size(self.entrant, options, track)
        asked = {
            "model": options.model,
            "seconds": f"{seconds:.6g}",
            "size": f"{size[0]}x{size[1]}",
        }
        extra = {k: v for k, v in self.entrant.backend.call.items() if k not in asked}
        seed = {"seed": request.seed}
        if options.send_seed:
            extra = seed | extra
        media = _first_image(request, size)
        if options.requests_per_minute is not None:
            name = f"{options.base_url} {options.api_key_env}"
            SharedRateLimit(name, per_minute=options.requests_per_minute).wait()
        started = time.monotonic()
        deadline = started + options.timeout_s
        arguments = asked | media | {"prompt": request.prompt, "extra_body": extra or None}
        video = api.make(arguments, deadline=deadline)
        data = api.download(video.id, deadline=deadline)
        limits = Limits(file_bytes=options.max_download_mib * 2**20)
        raw = decode_for_track(data, track, limits=limits)
        return raw, Provenance(
            backend="openai",
            model=options.model,
            seed=request.seed,
            call=asked | extra,
            dropped={} if options.send_seed else seed,
            adapted=_adapted(seconds, size, track),
            versions=installed_versions(PACKAGES),
            seconds=time.monotonic() - started,
            cost_usd=self._cost(video, seconds),
            usage=_usage(video),
            created_at=datetime.now(UTC),
        )

    def _cost(self, video: "Video", asked_s: float) -> float | None:
        try:
            made_s = float(video.seconds)
        except (AttributeError, TypeError, ValueError):
            made_s = math.nan
        if not 0 < made_s <= MAX_LENGTH_RATIO * asked_s:
            made_s = asked_s  # the server does not say, or no length that it can have
        return self.entrant.cost_usd(made_s)


def _first_image(request: ClipRequest, size: tuple[int, int]) -> dict[str, Any]:
    """The prompt's image in the size that is asked for, which APIs insist on, without metadata."""
    if request.track.modality != "image-to-video":
        return {}
    if request.source is None:
        raise ClipError(
            f"The prompt {request.prompt_id} has no source and the track {request.track.name} "
            "needs one; give it an image."
        )
    buffer = BytesIO()
    load_image(request.source, size).save(buffer, "PNG")
    return {"input_reference": (IMAGE_NAME, buffer.getvalue(), IMAGE_TYPE)}


def _adapted(seconds: float, size: tuple[int, int], track: TrackSettings) -> tuple[str, ...]:
    changes = []
    if seconds != track.duration_s:
        changes.append(f"asked for {seconds:g} s instead of {track.duration_s:g} s")
    if size != (track.width, track.height):
        wanted = f"{track.width}x{track.height}"
        changes.append(f"asked for {size[0]}x{size[1]} instead of {wanted}")
    return tuple(changes)


def _usage(video: "Video") -> dict[str, Any] | None:
    usage = (video.model_extra or {}).get("usage")
    return usage if isinstance(usage, dict) else None
