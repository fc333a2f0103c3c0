"""Parts of provider files: how one API is spoken to, step by step."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from generator.backends.api.tree import FILE_PLACEHOLDERS, check_tree

VARIABLE = r"^[A-Z][A-Z0-9_]{0,99}$"

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


class Ready(Part):
    """Asking whether an uploaded file can be used.

    Attributes:
        id_at: the file's id, in the answer to the file.
        path: with `{id}`.
        status_at: the status, in the answer to it; words as in `Poll`.
    """

    id_at: Place
    path: Path_
    status_at: Place
    waiting: Words
    done: Words


class Upload(Part):
    """Sending a source's file before the order, which then names it.

    Attributes:
        ask, ask_method, ask_body, ask_headers: the request for a place, if there is one; the path
            may have `{model}`, body and headers `{file_name}`, `{file_type}` and `{file_size}`.
        to: where the file is sent: a path at the API, with the key;
        to_at: or an address in the answer to `ask`, without the key;
        to_header: or one in a header of that answer, likewise.
        method, headers: how it is sent.
        headers_at: headers of that request, a table in the answer to `ask`.
        part: the name of the file in a form; None: the body is the file.
        form, form_at: further parts of the form: texts, and places in the answer to `ask`.
        form_all_at: a table in the answer to `ask`, all of which are parts of the form.
        folder_at, folder_part: a folder in the answer to `ask`, and the part of the form that is
            the folder with the file's name.
        value_at: what the order names: in the answer to the file, else in that to `ask`;
        value_prefix: or, with a folder, this text, the folder and the file's name.
        ready: the file is waited for, if the service works on it first.
    """

    ask: Path_ | None = None
    ask_method: Literal["GET", "POST"] = "POST"
    ask_body: dict[str, Any] | None = None
    ask_headers: dict[Name, str] = {}
    to: Path_ | None = None
    to_at: Place | None = None
    to_header: Name | None = None
    method: Literal["POST", "PUT"] = "POST"
    headers: dict[Name, str] = {}
    headers_at: Place | None = None
    part: Name | None = None
    form: dict[Name, str] = {}
    form_at: dict[Name, Place] = {}
    form_all_at: Place | None = None
    folder_at: Place | None = None
    folder_part: Name | None = None
    value_at: Place | None = None
    value_prefix: str = ""
    ready: Ready | None = None

    @field_validator("ask_body", "ask_headers")
    @classmethod
    def _check_body(cls, body: dict[str, Any] | None) -> dict[str, Any] | None:
        check_tree(body or {}, FILE_PLACEHOLDERS)
        return body

    @model_validator(mode="after")
    def _check_steps(self) -> Self:
        places = (self.to, self.to_at, self.to_header)
        if sum(each is not None for each in places) != 1 or (not self.to and self.ask is None):
            raise ValueError("set to, or ask with to_at or to_header")
        if (self.value_at is None) == (self.folder_at is None):
            raise ValueError("set value_at, or folder_at with value_prefix")
        return self
