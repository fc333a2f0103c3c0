"""The schema of provider files: one API as data."""

import re
from datetime import date
from functools import cached_property
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from generator.backends.api.schema_parts import (
    Billed,
    Cancel,
    Create,
    Errors,
    Key,
    Name,
    OrderName,
    Pace,
    Part,
    Path_,
    Place,
    Poll,
    Result,
    Upload,
    Words,
)
from generator.backends.api.tree import check_tree, texts_of
from generator.spec import Modality

_IN_PATH = re.compile(r"\{([^{}]*)\}")
# Without SOUND, what a tier costs if the price depends on the sound.
WITH_SOUND = "+sound"
# Whether a service rewrites prompts: never, unless switched off, in any case, or nobody says.
Rewriting = Literal["none", "switch", "always", "unknown"]
REWRITING = "{rewriting}"  # the placeholder of the switch
Setting = Literal["seconds", "tier", "ratio", "sound", "seed", "prompt", "fps"]


class Order(Part):
    """One kind of order: of some models, for one modality.

    Attributes:
        models: the names used by entrants, and the service's ids of them.
        path: with `{model}` where the address has the id in it.
        body: a tree; see `tree.fill`.
        prompt_max: longest prompt, in `prompt_unit`.
        headers: of this order, beside those of all.
        seconds: the lengths that may be asked for, or the least and the greatest of a range; none:
            the clip is as long as its source.
        seconds_as: how they are written: 5, "5" or "5s".
        tiers: what the size is asked for with, and the size: the shorter side, or both; 0: that of
            the source.
        pairs: lengths that a tier is limited to.
        ratios: aspect ratios; empty if the order names none.
        sound: whether clips have sound: if it is a switch, `sound_on` and `sound_off` set it.
        seed_max: the largest seed; None: the service takes none.
        source_as: how a source is sent: in the body, uploaded before, or as the address at which
            the operator serves it.
        source_mib: the largest source.
        source_max_s: the longest source, in seconds.
        bills_source: the seconds of the source are billed like those of the clip.
        rewriting: whether prompts are rewritten; None: as the provider says. If it is a switch,
            `rewriting_off` is sent in tracks that forbid it, and nothing in the others.
        ends: the day from which the models can be ordered no more.
    """

    models: dict[Name, Name] = Field(min_length=1)
    modality: Modality
    path: Path_
    body: dict[str, Any]
    prompt_max: int | None = Field(default=None, ge=1)
    prompt_unit: Literal["characters", "utf16", "words"] = "characters"
    headers: dict[Name, str] = Field(default_factory=dict)
    seconds: tuple[int, ...] = ()
    seconds_range: bool = False
    seconds_as: Literal["number", "text", "suffix"] = "number"
    tiers: dict[Name, int | tuple[int, int]] = Field(min_length=1)
    pairs: dict[Name, tuple[int, ...]] = Field(default_factory=dict)
    ratios: Words = ()
    sound: Literal["always", "never", "switch"]
    sound_on: bool | str = True
    sound_off: bool | str = False
    seed_max: int | None = Field(default=None, ge=1)
    source_as: Literal["data-uri", "base64", "upload", "address"] = "data-uri"
    source_mib: float = Field(default=4.0, gt=0)
    source_max_s: float | None = Field(default=None, gt=0)
    bills_source: bool = False
    rewriting: Rewriting | None = None
    rewriting_off: bool | str = False
    ends: date | None = None

    @field_validator("body")
    @classmethod
    def _check_body(cls, body: dict[str, Any]) -> dict[str, Any]:
        check_tree(body)
        return body

    @model_validator(mode="after")
    def _check_seconds(self) -> Self:
        if self.seconds_range and (len(self.seconds) != 2 or self.seconds[0] > self.seconds[1]):
            raise ValueError("a range of seconds has a least and a greatest")
        if not self.seconds and self.modality != "video-edit":
            raise ValueError("say which seconds may be asked for; only edits have no length")
        check_tree(self.headers)
        return self

    @property
    def lengths(self) -> tuple[int, ...]:
        """The lengths in seconds that may be asked for, the shortest first."""
        if self.seconds_range:
            return tuple(range(self.seconds[0], self.seconds[1] + 1))
        return tuple(sorted(self.seconds))


class Provider(Part):
    """One API, as its file describes it.

    Attributes:
        read: when its documents were read.
        source: where they are.
        mark: how the visible mark is switched off, or that there is none.
        rewriting: whether prompts are rewritten, where an order does not say otherwise.
        ends: the day from which it can be ordered from no more.
        regions: other addresses of the same API, by name.
        prices: US dollars per second of video, by model and tier, at the day of `read`.
        block_s: length that is billed at least, and in multiples of which it is.
        file_key: the key is sent for the file too, if the file is at the API's own address.
        echo: what the answer says of the settings, by their names.
    """

    title: Name
    read: date
    source: Name
    mark: Name
    rewriting: Rewriting = "unknown"
    note: Name | None = None
    ends: date | None = None
    base_url: str
    regions: dict[Name, str] = Field(default_factory=dict)
    key: Key
    headers: dict[Name, str] = Field(default_factory=dict)
    pace: Pace = Pace()
    create: Create
    poll: Poll | None = None  # None: `create.file`
    upload: Upload | None = None
    result: Result | None = None
    cancel: Cancel | None = None
    order_name: OrderName | None = None
    errors: Errors
    billed: Billed | None = None
    usage_at: Place | None = None
    echo: dict[Setting, Place] = Field(default_factory=dict)
    queue_seconds_at: Place | None = None
    file_key: bool = False
    file_query: str = ""
    block_s: int = Field(default=1, ge=1)
    orders: tuple[Order, ...] = Field(min_length=1)
    prices: dict[Name, dict[Name, Annotated[float, Field(ge=0)]]] = Field(default_factory=dict)

    @field_validator("base_url", "regions")
    @classmethod
    def _check_addresses(cls, value: str | dict[str, str]) -> str | dict[str, str]:
        for address in [value] if isinstance(value, str) else value.values():
            parts = urlsplit(address)
            if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
                raise ValueError(f"{address!r} should be an address such as https://api.example")
            if parts.username or parts.query or parts.fragment:
                raise ValueError(f"{address!r} must not contain a user, query or fragment")
        return value

    @field_validator("headers")
    @classmethod
    def _check_headers(cls, headers: dict[str, str]) -> dict[str, str]:
        check_tree(headers)
        return headers

    @model_validator(mode="after")
    def _check_paths(self) -> Self:
        steps = [
            (self.poll and self.poll.path, {"id", "path"}),
            (self.result and self.result.path, {"id", "file"}),
            (self.cancel and self.cancel.path, {"id", "path"}),
            (self.order_name and self.order_name.find, {"order_name"}),
            (self.upload and self.upload.ask, {"model"}),
            (self.upload and self.upload.ready and self.upload.ready.path, {"id"}),
            *((order.path, {"model"}) for order in self.orders),
        ]
        for path, known in steps:
            for name in _IN_PATH.findall(path or ""):
                if name not in known:
                    raise ValueError(f"{path!r} has {{{name}}}, which is not known there")
        if any(order.source_as == "upload" for order in self.orders) != (self.upload is not None):
            raise ValueError("orders whose source_as is upload, and upload, go together")
        return self

    @model_validator(mode="after")
    def _check_steps(self) -> Self:
        create, poll = self.create, self.poll
        if create.file != (poll is None) or create.file != (create.id_at is None):
            raise ValueError("create has file = true, or id_at with a poll")
        for step, url_at, wanted in (
            ("poll", create.poll_url_at, bool(poll and poll.path is None)),
            ("result", create.result_url_at, bool(self.result and self.result.path is None)),
            ("cancel", create.cancel_url_at, bool(self.cancel and self.cancel.path is None)),
        ):
            if wanted and url_at is None:
                raise ValueError(f"{step} has no path, and create no {step}_url_at")
        if poll and self.result is None and poll.file_at is None and poll.base64_at is None:
            raise ValueError("nothing says where the file is: poll.file_at, poll.base64_at, result")
        return self

    @model_validator(mode="after")
    def _check_rewriting(self) -> Self:
        for number, order in enumerate(self.orders):
            if (self.rewriting_of(order) == "switch") != (REWRITING in texts_of(order.body)):
                raise ValueError(
                    f'orders.{number}: rewriting = "switch" and "{REWRITING}" in its body go '
                    "together"
                )
        return self

    def rewriting_of(self, order: Order) -> Rewriting:
        """Whether prompts of an order are rewritten."""
        return order.rewriting or self.rewriting

    @property
    def models(self) -> tuple[str, ...]:
        """The names of its models, each once, in the order of the file."""
        return tuple(dict.fromkeys(name for order in self.orders for name in order.models))

    @cached_property
    def variables(self) -> tuple[str, ...]:
        """The environment variables that hold its key."""
        secret = self.key.secret_variable
        return (self.key.variable, *([secret] if secret else []))

    def find_order(self, model: str, modality: str) -> Order | None:
        """The order of a model for a modality, if there is one."""
        for order in self.orders:
            if model in order.models and order.modality == modality:
                return order
        return None
