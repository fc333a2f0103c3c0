"""The api backend: orders clips from the API that a provider file describes."""

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Self, TypeVar

from generator.backends import Estimate
from generator.backends.api.answers import at, number_at, text_at
from generator.backends.api.delivering import Delivering, Delivery
from generator.backends.api.http import Http
from generator.backends.api.options import (
    ApiOptions,
    base_url,
    check_track,
    find_order,
    host_of,
    notes_about,
    read_keys,
    read_options,
    read_provider,
)
from generator.backends.api.pending_order import Handle, PendingOrder, Times
from generator.backends.api.placing import Placing
from generator.backends.api.provider import ProviderFile
from generator.backends.api.schema import Order
from generator.backends.api.settings import Choice, check_prompt, choose, seed_values
from generator.backends.api.signing import key_headers
from generator.backends.api.sources import Source, find_source
from generator.backends.api.tree import fill
from generator.backends.api.uploading import upload
from generator.backends.meter import installed_versions
from generator.backends.ordering import Purchase, Steps, buy
from generator.backends.rate_limit import SharedRateLimit
from generator.clips import ClipFile, ClipRequest, ModelOutput, Provenance
from generator.errors import BackendError
from generator.jsonable import to_jsonable
from generator.orders import NOTE, NoJournal, OrderJournal
from generator.spec import Entrant, TrackSettings

Step = TypeVar("Step", bound=PendingOrder)

PACKAGES = ("httpx2", "av")
LENGTH_TOLERANCE_S = 0.5  # clips differ by some frames from the length that was asked for


@dataclass(frozen=True)
class _Connection:
    options: ApiOptions
    file: ProviderFile
    http: Http


class ApiBackend(ExitStack):
    """Orders a clip, waits for it, and downloads its file."""

    repeatable = False  # the service may have accepted, and may bill, the first order
    waits = True  # for the service: many requests at once, in threads

    def __init__(self, entrant: Entrant) -> None:
        super().__init__()
        self.entrant = entrant
        self._connection: _Connection | None = None

    @cached_property
    def _settings(self) -> tuple[ApiOptions, ProviderFile]:
        """Options and provider file, read once for all clips of this backend."""
        options = read_options(self.entrant)
        return options, read_provider(self.entrant, options)

    @property
    def workers(self) -> int | None:
        """Orders at once: the work is waiting for the service."""
        return _concurrency(*self._settings)

    @property
    def account(self) -> str:
        """Whose orders are limited together."""
        options, file = self._settings
        host = host_of(base_url(self.entrant, options, file))
        return f"{host} {options.api_key_env or file.provider.key.variable}"

    def check(self, track: TrackSettings) -> None:
        """Reject invalid options, a provider that has ended, and unsupported tracks."""
        check_track(self.entrant, track)

    def check_key(self) -> None:
        """Raise MissingKey if the environment has no key for the service."""
        read_keys(self.entrant, *self._settings)

    def notes(self) -> tuple[str, ...]:
        """Sentences for the operator: where it is ordered, its price, what to know."""
        return notes_about(self.entrant, *self._settings)

    def estimate(self, request: ClipRequest) -> Estimate:
        """What a clip will cost; raises a GeneratorError if it cannot be ordered."""
        options, file = self._settings
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
        options, file = self._settings
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

    def generate(self, request: ClipRequest) -> ModelOutput:
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
        size = choice.values["width"], choice.values["height"]
        source = find_source(request, order, size, sources_url=options.sources_url)
        asked = choice.values | seed
        values = asked | {"prompt": request.prompt}
        bought = self._buy(connection, order, values, source, request.orders or NoJournal())
        delivery = bought.file
        usage = at(delivery.data, provider.usage_at)
        differences, rewritten = self._compare(connection, request, choice, values, delivery.data)
        return ClipFile(delivery.file, options.max_download_mib * 2**20), Provenance(
            backend="api",
            model=order.models[options.model],
            seed=request.seed,
            call=asked,
            dropped=dropped,
            adapted=choice.adapted + (source.adapted if source else ()) + differences,
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
            billed_usd=_billed(file, options.model, choice, delivery.data),
            usage=to_jsonable(usage) if isinstance(usage, dict) else None,
            created_at=datetime.now(UTC),
        )

    def _buy(
        self,
        connection: _Connection,
        order: Order,
        values: dict[str, Any],
        source: Source | None,
        journal: OrderJournal,
    ) -> Purchase[Delivery]:
        """Order a clip, or continue an earlier order of the same one, and download its file."""
        options, file, http = connection.options, connection.file, connection.http
        provider, pace = file.provider, file.provider.pace
        model = order.models[options.model]
        path = order.path.replace("{model}", model)
        times = Times()
        identity = {} if source is None else {source.placeholder: source.identity}
        if source is not None and source.kind:
            values = values | {"source_type": source.kind}

        def make(step: type[Step], deadline: float) -> Step:
            return step(
                http=http,
                provider=provider,
                path=path,
                journal=journal,
                poll_s=options.poll_s or pace.poll_s,
                deadline=deadline,
                max_bytes=options.max_download_mib * 2**20,
                times=times,
            )

        def place(deadline: float) -> Handle:
            named = values | {"order_name": journal.name}
            if source is not None:
                named[source.placeholder] = (
                    upload(http, provider, source, model=model, deadline=deadline)
                    if order.source_as == "upload"
                    else source.value(order)
                )
            headers = fill(provider.headers | order.headers, named)
            return make(Placing, deadline).place(fill(order.body, named), headers)

        per_minute = options.requests_per_minute or pace.per_minute
        return buy(
            Steps(
                place=place,
                resume=Handle.parse,
                fetch=lambda handle, deadline: make(Delivering, deadline).deliver(handle),
            ),
            journal,
            service=str(http.base_url),
            request={
                "path": path,
                "body": to_jsonable(fill(order.body, values | identity)),
                NOTE: {"provider": file.name, "provider_sha256": file.sha256},
            },
            named=provider.order_name is not None,
            limit=(
                None if per_minute is None else SharedRateLimit(self.account, per_minute=per_minute)
            ),
            timeout_s=options.timeout_s or pace.timeout_s,
        )

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


def _billed(file: ProviderFile, model: str, choice: Choice, data: Any) -> float | None:
    """US dollars that the answer says were billed."""
    billed = file.provider.billed
    figure = None if billed is None else number_at(data, billed.at)
    if billed is None or figure is None:
        return None
    match billed.unit:
        case "usd":
            return figure
        case "seconds":
            return None if choice.usd_per_second is None else choice.usd_per_second * figure
    per_million = billed.usd_per_million
    if isinstance(per_million, dict):
        per_million = per_million.get(model, {}).get(choice.tier)
    return None if per_million is None else figure * per_million / 1e6
