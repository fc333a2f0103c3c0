"""The api backend: orders clips from the API that a provider file describes."""

import base64
import hashlib
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, Self

from generator.backends import Estimate
from generator.backends.api.answers import at, number_at, text_at
from generator.backends.api.http import Http
from generator.backends.api.options import (
    ApiOptions,
    base_url,
    check_track,
    find_order,
    notes_about,
    read_keys,
    read_options,
    read_provider,
)
from generator.backends.api.placing import Delivery, Handle, Placing
from generator.backends.api.provider import Order, ProviderFile
from generator.backends.api.settings import Choice, check_prompt, choose, seed_values
from generator.backends.api.signing import key_headers
from generator.backends.api.tree import fill
from generator.backends.meter import installed_versions
from generator.backends.rate_limit import SharedRateLimit
from generator.clips import ClipRequest, Provenance, RawClip
from generator.errors import BackendError, ClipError
from generator.jsonable import to_jsonable
from generator.media import Limits, decode_for_track
from generator.media.images import load_image
from generator.orders import NOTE, NoJournal, OrderEnd, OrderJournal
from generator.spec import Entrant, TrackSettings

PACKAGES = ("httpx2", "av")
LENGTH_TOLERANCE_S = 0.5  # clips differ by some frames from the length that was asked for


@dataclass(frozen=True)
class _Connection:
    options: ApiOptions
    file: ProviderFile
    http: Http


class ApiBackend(ExitStack):
    """Orders a clip, waits for it, downloads it, and decodes it within limits."""

    repeatable = False  # the service may have accepted, and may bill, the first order

    def __init__(self, entrant: Entrant) -> None:
        super().__init__()
        self.entrant = entrant
        self._connection: _Connection | None = None

    @property
    def workers(self) -> int | None:
        """Orders at once: the work is waiting for the service."""
        options = read_options(self.entrant)
        return _concurrency(options, read_provider(self.entrant, options))

    def check(self, track: TrackSettings) -> None:
        """Reject invalid options, a provider that has ended, and unsupported tracks."""
        check_track(self.entrant, track)

    def notes(self) -> tuple[str, ...]:
        """Sentences for the operator: where it is ordered, its price, what to know."""
        options = read_options(self.entrant)
        return notes_about(self.entrant, options, read_provider(self.entrant, options))

    def estimate(self, request: ClipRequest) -> Estimate:
        """What a clip will cost; raises a GeneratorError if it cannot be ordered."""
        options = read_options(self.entrant)
        file = read_provider(self.entrant, options)
        order = find_order(self.entrant, options, file, request.track.modality)
        choice = choose(file.provider, order, options.model, request.track, tier=options.tier)
        check_prompt(order, options.model, request.prompt_id, request.prompt)
        _, dropped = seed_values(order, request.seed)
        return Estimate(
            price_usd=self._list_price(choice),
            adapted=choice.adapted,
            dropped=tuple(dropped),
            concurrency=_concurrency(options, file),
        )

    def __enter__(self) -> Self:
        options = read_options(self.entrant)
        file = read_provider(self.entrant, options)
        keys = read_keys(self.entrant, options, file)
        http = Http.connect(
            self.entrant.name,
            base_url(self.entrant, options, file),
            key_headers(file.provider.key, keys),
            tuple(keys.values()),
        )
        self._connection = _Connection(options, file, http)
        self.callback(self._disconnect)
        return self

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.http.close()
            self._connection = None

    def generate(self, request: ClipRequest) -> tuple[RawClip, Provenance]:
        """Have the service make the clip; the downloaded file is the master."""
        connection = self._connection
        if connection is None:
            raise BackendError(
                f"{self.entrant.name} is not connected; enter the backend's context first."
            )
        options, file = connection.options, connection.file
        provider = file.provider
        order = find_order(self.entrant, options, file, request.track.modality)
        choice = choose(provider, order, options.model, request.track, tier=options.tier)
        check_prompt(order, options.model, request.prompt_id, request.prompt)
        seed, dropped = seed_values(order, request.seed)
        values = choice.values | seed | {"prompt": request.prompt} | _image(request, order, choice)
        delivery = self._buy(connection, order, values, request.orders or NoJournal())
        limits = Limits(file_bytes=options.max_download_mib * 2**20)
        raw = decode_for_track(delivery.file, request.track, limits=limits)
        usage = at(delivery.data, provider.usage_at)
        asked = {key: value for key, value in values.items() if key not in ("prompt", "image")}
        differences, rewritten = self._compare(connection, request, choice, values, delivery.data)
        return raw, Provenance(
            backend="api",
            model=order.models[options.model],
            seed=request.seed,
            call=asked,
            dropped=dropped,
            adapted=choice.adapted + differences,
            warnings=tuple(
                f"waited although the status {word!r} is not known"
                for word in delivery.unknown_words
            ),
            versions=installed_versions(PACKAGES),
            options={"provider": file.name, "provider_sha256": file.sha256} | rewritten,
            seconds=delivery.seconds,
            order_seconds=delivery.seconds,
            queue_seconds=delivery.queue_seconds,
            cost_usd=self._list_price(choice),
            billed_usd=_billed(file, choice, delivery.data),
            usage=to_jsonable(usage) if isinstance(usage, dict) else None,
            created_at=datetime.now(UTC),
        )

    def _buy(
        self, connection: _Connection, order: Order, values: dict[str, Any], journal: OrderJournal
    ) -> Delivery:
        """Order a clip, or continue an earlier order of the same one, and download its file."""
        options, file, http = connection.options, connection.file, connection.http
        provider, pace = file.provider, file.provider.pace
        path = order.path.replace("{model}", order.models[options.model])
        order_id = journal.begin(
            str(http.base_url),
            {
                "path": path,
                "body": to_jsonable(fill(order.body, values | _hashed_image(values))),
                NOTE: {"provider": file.name, "provider_sha256": file.sha256},
            },
            named=provider.order_name is not None,
        )
        try:
            per_minute = options.requests_per_minute or pace.per_minute
            if order_id is None and per_minute is not None:
                SharedRateLimit(
                    f"{http.host} {provider.key.variable}", per_minute=per_minute
                ).wait()
            placing = Placing(
                http=http,
                provider=provider,
                order=order,
                journal=journal,
                poll_s=options.poll_s or pace.poll_s,
                deadline=time.monotonic() + (options.timeout_s or pace.timeout_s),
                max_bytes=options.max_download_mib * 2**20,
            )
            if order_id is None:
                named = values | {"order_name": journal.name}
                handle = placing.place(path, fill(order.body, named), fill(provider.headers, named))
            else:
                handle = Handle.parse(order_id)
            delivery = placing.deliver(handle)
            journal.ended(OrderEnd.RECEIVED)
        finally:
            journal.release()
        return delivery

    def _list_price(self, choice: Choice) -> float | None:
        own = self.entrant.cost_usd(choice.seconds)
        return choice.price_usd if own is None else own

    def _compare(
        self,
        connection: _Connection,
        request: ClipRequest,
        choice: Choice,
        values: dict[str, Any],
        data: Any,
    ) -> tuple[tuple[str, ...], dict[str, Any]]:
        """What the service says it did other than asked, and the prompt if it wrote another."""
        differences: list[str] = []
        rewritten: dict[str, Any] = {}
        for name, place in connection.file.provider.echo.items():
            said = text_at(data, [place])
            if name == "sound" and (value := at(data, place)) is not None:
                said = str(value)
            if said is None:
                continue
            if name == "prompt":
                if said.split() != request.prompt.split():
                    differences.append("the service rewrote the prompt")
                    rewritten["rewritten_prompt"] = said
            elif name in ("seconds", "fps"):
                wanted = choice.seconds if name == "seconds" else float(request.track.fps)
                number = number_at(data, place)
                if number is not None and abs(number - wanted) > LENGTH_TOLERANCE_S:
                    unit = "s" if name == "seconds" else "frames/s"
                    differences.append(f"was made with {number:g} {unit} instead of {wanted:g}")
            elif name in values and said.lower() != str(values[name]).lower():
                differences.append(f"was made with {name} {said} instead of {values[name]}")
        return tuple(differences), rewritten


def _concurrency(options: ApiOptions, file: ProviderFile) -> int:
    return options.concurrency or file.provider.pace.concurrency


def _image(request: ClipRequest, order: Order, choice: Choice) -> dict[str, str]:
    """The prompt's image in the size of the clip, without metadata, as the service wants it."""
    if request.track.modality != "image-to-video":
        return {}
    if request.source is None:
        raise ClipError(
            f"The prompt {request.prompt_id} has no source and the track {request.track.name} "
            "needs one; set the prompt's source to an image."
        )
    size = choice.values["width"], choice.values["height"]
    buffer = BytesIO()
    load_image(request.source, size).save(buffer, "PNG")
    encoded = base64.b64encode(buffer.getvalue()).decode()
    return {"image": encoded if order.image_as == "base64" else f"data:image/png;base64,{encoded}"}


def _hashed_image(values: dict[str, Any]) -> dict[str, str]:
    """A hash in place of the image, for the journal."""
    if "image" not in values:
        return {}
    return {"image": f"sha256:{hashlib.sha256(values['image'].encode()).hexdigest()}"}


def _billed(file: ProviderFile, choice: Choice, data: Any) -> float | None:
    """US dollars that the answer says were billed."""
    billed = file.provider.billed
    figure = None if billed is None else number_at(data, billed.at)
    if billed is None or figure is None:
        return None
    if billed.unit == "usd":
        return figure
    if billed.unit == "tokens" and billed.usd_per_million is not None:
        return figure * billed.usd_per_million / 1e6
    return None if choice.price_usd is None else choice.price_usd / choice.seconds * figure
