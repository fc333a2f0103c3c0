"""The schema of provider files: one API as data."""

import re
from datetime import date
from functools import cached_property
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from generator.backends.api.tree import FILE_PLACEHOLDERS, check_tree, texts_of
from generator.spec import Modality

VARIABLE = r"^[A-Z][A-Z0-9_]{0,99}$"
_IN_PATH = re.compile(r"\{([^{}]*)\}")
# Without SOUND, what a tier costs if the price depends on the sound.
WITH_SOUND = "+sound"
# Whether a service rewrites prompts: never, unless switched off, in any case, or nobody says.
Rewriting = Literal["none", "switch", "always", "unknown"]
REWRITING = "{rewriting}"  # the placeholder of the switch

Name = Annotated[str, Field(min_length=1, max_length=200)]
Place = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.=\[\]-]+$", max_length=200)]
Path_ = Annotated[str, Field(pattern=r"^(/|\{path\})[^\s#]*$", max_length=300)]
Words = tuple[Name, ...]
Price = Annotated[float, Field(gt=0)]


class Part(BaseModel):
    """A part of a provider file; a misspelled key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Key(Part):
    """Where the key comes from, and how it is sent."""

    variable: str = Field(pattern=VARIABLE)
    header: Name = "Authorization"
    prefix: str = "Bearer "
    signer: Literal["kling-jwt"] | None = None
    secret_variable: str | None = Field(default=None, pattern=VARIABLE)  # of a signer

    @model_validator(mode="after")
    def _check_signer(self) -> Self:
        if (self.signer is None) != (self.secret_variable is None):
            raise ValueError("signer and secret_variable go together")
        return self


class Pace(Part):
    """How many orders at once, how many a minute, and how often to ask for their state."""

    concurrency: int = Field(default=2, ge=1, le=64)
    per_minute: float | None = Field(default=None, gt=0)
    poll_s: float = Field(default=5.0, gt=0)
    timeout_s: float = Field(default=1800.0, gt=0)  # of one order, from placing it to its file


class Create(Part):
    """The answer to an order.

    Attributes:
        id_at: the service's id of the order.
        file: the body of the answer is the clip's file, so no id is read and nothing is polled.
        ok_at, ok: a field and its value without which a successful HTTP status means nothing.
        poll_url_at, result_url_at, cancel_url_at: addresses of the later steps, if the answer
            brings them.
    """

    id_at: Place | None = None
    file: bool = False
    ok_at: Place | None = None
    ok: str = "0"
    poll_url_at: Place | None = None
    result_url_at: Place | None = None
    cancel_url_at: Place | None = None


class Poll(Part):
    """Asking for an order's state. Words are compared as text; "missing" is a field left out.

    Attributes:
        path: with `{id}`, and `{path}` for that of the order; without it, the address that the
            answer to the order brought.
        queued: those of `waiting` that mean that nobody works on the order yet.
        lost: words for an id that the service no longer knows.
        error_at: if something is there, the order has failed, whatever the status is.
        file_at: the file's address, or what `result` asks for.
        base64_at: the file itself, in base64.
        no_file: what it means if the order is done without a file.
        progress_of: the number that means finished.
    """

    path: Path_ | None = None
    status_at: Place
    waiting: Words
    queued: Words = ()
    done: Words
    failed: Words = ()
    refused: Words = ()
    lost: Words = ()
    error_at: Place | None = None
    progress_at: Place | None = None
    progress_of: float = Field(default=100.0, gt=0)
    file_at: Place | None = None
    base64_at: Place | None = None
    no_file: Literal["refused", "failed"] = "failed"

    @model_validator(mode="after")
    def _check_queued(self) -> Self:
        if unknown := set(self.queued) - set(self.waiting):
            raise ValueError(f"queued has {sorted(unknown)[0]!r}, which is not in waiting")
        return self


class Result(Part):
    """A further request for the file's address, with `{file}` or `{id}` in its path."""

    path: Path_ | None = None  # None: the address that the answer to the order brought
    file_at: Place


class Cancel(Part):
    """How an order is cancelled that nobody waits for any more."""

    method: Literal["DELETE", "POST", "PUT"] = "DELETE"
    path: Path_ | None = None  # None: the address that the answer to the order brought


class OrderName(Part):
    """A name that we give to an order, so that it is found, or not repeated, after a lost answer.

    Attributes:
        repeat: the service makes no second clip for the same name, so the order is sent again.
        find: the path at which an order of this name is asked for, with `{order_name}`.
        id_at: its id in the answer; nothing there: it was not accepted.
    """

    repeat: bool = False
    find: Path_ | None = None
    id_at: Place | None = None

    @model_validator(mode="after")
    def _check_way(self) -> Self:
        if self.repeat == (self.find is not None) or (self.find is None) != (self.id_at is None):
            raise ValueError("set repeat = true, or find with id_at")
        return self


class Errors(Part):
    """What error codes mean. `X*` is a prefix; an exact code goes before a longer prefix.

    Attributes:
        code_at: where codes are, in the answer to any request; the first that is there counts.
        phrases: parts of a message that mean a refusal, where a service has no code for it.
        refusal_billed: a refused clip is paid for, so it is not ordered again unasked.
    """

    code_at: tuple[Place, ...]
    message_at: tuple[Place, ...] = ()
    refused: Words = ()
    later: Words = ()
    failed: Words = ()
    phrases: Words = ()
    refusal_billed: bool = False


class Billed(Part):
    """What a finished order's answer says was billed.

    Attributes:
        at: the figure.
        unit: of it: US dollars, seconds of video at the list price, or tokens.
        usd_per_million: the price of tokens; by model and tier if it depends on them.
    """

    at: Place
    unit: Literal["usd", "seconds", "tokens"]
    usd_per_million: Price | dict[Name, dict[Name, Price]] | None = None

    @model_validator(mode="after")
    def _check_price(self) -> Self:
        if (self.unit == "tokens") != (self.usd_per_million is not None):
            raise ValueError("tokens need usd_per_million, and only they")
        return self


class Upload(Part):
    """Sending a source's file before the order, which then names it.

    Attributes:
        ask, ask_method, ask_body: the request for a place, if there is one; the path may have
            `{model}`, the body `{file_name}` and `{file_type}`.
        to: where the file is sent: a path at the API, with the key;
        to_at: or an address in the answer to `ask`, without the key.
        method: how it is sent.
        headers_at: headers of that request, a table in the answer to `ask`.
        part: the name of the file in a form; None: the body is the file.
        form, form_at: further parts of the form: texts, and places in the answer to `ask`.
        form_all_at: a table in the answer to `ask`, all of which are parts of the form.
        folder_at, folder_part: a folder in the answer to `ask`, and the part of the form that is
            the folder with the file's name.
        value_at: what the order names: in the answer to the file, else in that to `ask`;
        value_prefix: or, with a folder, this text, the folder and the file's name.
    """

    ask: Path_ | None = None
    ask_method: Literal["GET", "POST"] = "POST"
    ask_body: dict[str, Any] | None = None
    to: Path_ | None = None
    to_at: Place | None = None
    method: Literal["POST", "PUT"] = "POST"
    headers_at: Place | None = None
    part: Name | None = None
    form: dict[Name, str] = {}
    form_at: dict[Name, Place] = {}
    form_all_at: Place | None = None
    folder_at: Place | None = None
    folder_part: Name | None = None
    value_at: Place | None = None
    value_prefix: str = ""

    @field_validator("ask_body")
    @classmethod
    def _check_body(cls, body: dict[str, Any] | None) -> dict[str, Any] | None:
        check_tree(body or {}, FILE_PLACEHOLDERS)
        return body

    @model_validator(mode="after")
    def _check_steps(self) -> Self:
        if (self.to is None) == (self.to_at is None) or (self.to_at and self.ask is None):
            raise ValueError("set to, or ask with to_at")
        if (self.value_at is None) == (self.folder_at is None):
            raise ValueError("set value_at, or folder_at with value_prefix")
        return self


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
    headers: dict[Name, str] = {}
    seconds: tuple[int, ...] = ()
    seconds_range: bool = False
    seconds_as: Literal["number", "text", "suffix"] = "number"
    tiers: dict[Name, int | tuple[int, int]] = Field(min_length=1)
    pairs: dict[Name, tuple[int, ...]] = {}
    ratios: Words = ()
    sound: Literal["always", "never", "switch"]
    sound_on: bool | str = True
    sound_off: bool | str = False
    seed_max: int | None = Field(default=None, ge=1)
    source_as: Literal["data-uri", "base64", "upload", "address"] = "data-uri"
    source_mib: float = Field(default=4.0, gt=0)
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
    regions: dict[Name, str] = {}
    key: Key
    headers: dict[Name, str] = {}
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
    echo: dict[Literal["seconds", "tier", "ratio", "sound", "seed", "prompt", "fps"], Place] = {}
    queue_seconds_at: Place | None = None
    file_key: bool = False
    file_query: str = ""
    block_s: int = Field(default=1, ge=1)
    orders: tuple[Order, ...] = Field(min_length=1)
    prices: dict[Name, dict[Name, Annotated[float, Field(ge=0)]]] = {}

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
