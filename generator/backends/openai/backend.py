"""The openai backend: any model that a server offers through the OpenAI Videos API."""

import math
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from generator.backends.meter import installed_versions
from generator.backends.openai.options import (
    check_call,
    choose_seconds,
    choose_size,
    read_key,
    read_options,
)
from generator.backends.ordering import Purchase, Steps, buy, sha256, source_image
from generator.backends.rate_limit import SharedRateLimit
from generator.clips import ClipFile, ClipRequest, ModelOutput, Provenance
from generator.errors import BackendError
from generator.jsonable import to_jsonable
from generator.orders import NoJournal, OrderJournal
from generator.spec import OFF, Entrant, TrackSettings

if TYPE_CHECKING:
    from openai.types import Video

    from generator.backends.openai.client import Order, VideosApi

PACKAGES = ("openai", "av")
MAX_LENGTH_RATIO = 10  # a reported length more than this times the requested one is an error
IMAGE_NAME, IMAGE_TYPE = "first.png", "image/png"


class OpenaiBackend(ExitStack):
    """Requests a video, waits for it, downloads it, and decodes it within limits."""

    repeatable = False  # the server may have accepted, and may bill, the first order
    waits = True  # for the server: many requests at once, in threads

    def __init__(self, entrant: Entrant) -> None:
        super().__init__()
        self.entrant = entrant
        self._api: VideosApi | None = None

    @property
    def workers(self) -> int | None:
        """The spec's `concurrency`: the work is waiting for the server."""
        return read_options(self.entrant).concurrency

    @property
    def account(self) -> str:
        """Whose orders are limited together."""
        options = read_options(self.entrant)
        return f"{options.base_url} {options.api_key_env}"

    def check(self, track: TrackSettings) -> None:
        """Reject invalid options, API keys in the spec, an unset variable, unsupported tracks."""
        options = read_options(self.entrant)
        read_key(self.entrant, options)
        check_call(self.entrant, options, track)

    def check_key(self) -> None:
        """Raise MissingKey if the environment has no key for the server."""
        read_key(self.entrant, read_options(self.entrant))

    def __enter__(self) -> Self:
        # Imported here because the client takes a second to import and `check` does not need it.
        from generator.backends.openai.client import VideosApi

        options = read_options(self.entrant)
        key = read_key(self.entrant, options)
        self._api = VideosApi.connect(self.entrant.name, options, key)
        self.callback(self._disconnect)
        return self

    def _disconnect(self) -> None:
        if self._api is not None:
            self._api.close()
            self._api = None

    def generate(self, request: ClipRequest) -> ModelOutput:
        """Have the server generate the video; the downloaded file is the master."""
        api = self._api
        if api is None:
            raise BackendError(
                f"{self.entrant.name} is not connected; enter the backend's context first."
            )
        options, track = api.options, request.track
        seconds = choose_seconds(self.entrant, options, track)
        size = choose_size(self.entrant, options, track)
        requested = {
            "model": options.model,
            "seconds": f"{seconds:.6g}",
            "size": f"{size[0]}x{size[1]}",
        }
        extra = {k: v for k, v in self.entrant.backend.call.items() if k not in requested}
        seed = {"seed": request.seed}
        if options.send_seed:
            extra = seed | extra
        image = _first_image(request, size)
        arguments = requested | image | {"prompt": request.prompt, "extra_body": extra or None}
        bought = self._buy(api, arguments, request.orders or NoJournal())
        order, data = bought.file
        video = order.video
        return ClipFile(data, options.max_download_mib * 2**20), Provenance(
            backend="openai",
            model=options.model,
            seed=request.seed,
            call=requested | extra,
            dropped={} if options.send_seed else seed,
            adapted=_adapted(seconds, size, track),
            warnings=tuple(
                f"waited although the status {status!r} is not known"
                for status in order.unknown_statuses
            ),
            versions=installed_versions(PACKAGES),
            seconds=bought.seconds,
            order_seconds=bought.seconds,
            cost_usd=self._cost_usd(video, requested_s=seconds),
            usage=_usage(video),
            created_at=datetime.now(UTC),
        )

    def _buy(
        self, api: "VideosApi", arguments: dict[str, Any], journal: OrderJournal
    ) -> "Purchase[tuple[Order, bytes]]":
        """Order a video, or continue an earlier order of the same one, and download its file."""
        from generator.backends.openai.client import Placed

        options = api.options
        limit = options.requests_per_minute
        return buy(
            Steps(
                place=lambda deadline: api.create(arguments, journal=journal, deadline=deadline),
                resume=Placed,
                fetch=lambda placed, deadline: api.fetch(
                    placed, journal=journal, deadline=deadline
                ),
            ),
            journal,
            service=options.base_url,
            request=_without_files(arguments),
            named=False,
            limit=None if limit is None else SharedRateLimit(self.account, per_minute=limit),
            timeout_s=options.timeout_s,
        )

    def _cost_usd(self, video: "Video", *, requested_s: float) -> float | None:
        try:
            length_s = float(video.seconds)
        except (AttributeError, TypeError, ValueError):
            length_s = math.nan
        if not 0 < length_s <= MAX_LENGTH_RATIO * requested_s:
            length_s = requested_s  # the server reports no length, or an impossible one
        return self.entrant.cost_usd(length_s)


def _first_image(request: ClipRequest, size: tuple[int, int]) -> dict[str, Any]:
    """Return the prompt's image at the requested size, as APIs require, without metadata."""
    if request.track.modality != "image-to-video":
        return {}
    return {"input_reference": (IMAGE_NAME, source_image(request, size), IMAGE_TYPE)}


def _without_files(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments as JSON values, with a hash in place of the image."""
    hashes = {}
    if "input_reference" in arguments:
        _, data, _ = arguments["input_reference"]
        hashes["input_reference"] = sha256(data)
    values: dict[str, Any] = to_jsonable(arguments | hashes)
    return values


def _adapted(seconds: float, size: tuple[int, int], track: TrackSettings) -> tuple[str, ...]:
    changes = []
    if seconds != track.duration_s:
        changes.append(f"asked for {seconds:g} s instead of {track.duration_s:g} s")
    if size != (track.width, track.height):
        wanted = f"{track.width}x{track.height}"
        changes.append(f"asked for {size[0]}x{size[1]} instead of {wanted}")
    if track.prompt_rewriting == OFF:  # the API has no switch; `call` may hold a server's own
        changes.append("whether the server rewrites prompts is not known")
    return tuple(changes)


def _usage(video: "Video") -> dict[str, Any] | None:
    usage = (video.model_extra or {}).get("usage")
    return usage if isinstance(usage, dict) else None
