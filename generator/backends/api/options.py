"""Options of an entrant behind an API, validated before any request is sent."""

import os
import re
from datetime import UTC, date, datetime
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from generator.backends import refuse_unknown_options
from generator.backends.api.provider import ProviderFile, find_provider
from generator.backends.api.schema import Order
from generator.errors import MissingKey, SpecError
from generator.spec import Entrant, TrackSettings
from generator.validation import describe_validation_error

VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,99}")
STALE_DAYS = 180  # a provider file that was read longer ago is warned of
# Long runs of letters and digits, and known prefixes: a key rather than a variable or a name.
KEY = re.compile(
    r"(?=[A-Za-z]*[0-9])(?=[0-9]*[A-Za-z])[A-Za-z0-9]{24,}|\b(sk|key|fal|r8|hf)[-_][\w-]{16,}"
    r"|\bAIza[\w-]{20,}|\bAKIA[0-9A-Z]{12,}"
)

REWRITING = {
    "none": "none is documented",
    "switch": 'as the maker has it, and switched off in tracks with prompt_rewriting = "off"',
    "always": 'it cannot be switched off, so tracks with prompt_rewriting = "off" are refused',
    "unknown": "the documents do not say whether there is any",
}


class ApiOptions(BaseModel):
    """The keys of `[backend]` besides `kind`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    provider: str = Field(min_length=1, max_length=1000)
    model: str = Field(min_length=1, max_length=200)
    api_key_env: str | None = None
    region: str | None = None
    tier: str | None = None
    trusted_host: str | None = None  # of an operator's own provider file
    sources_url: str | None = None  # where the operator serves the prompts' sources
    timeout_s: float | None = Field(default=None, gt=0)
    poll_s: float | None = Field(default=None, gt=0)
    concurrency: int | None = Field(default=None, ge=1, le=64)
    requests_per_minute: float | None = Field(default=None, gt=0)
    max_download_mib: int = Field(default=128, ge=1, le=128)

    @field_validator("sources_url")
    @classmethod
    def _is_an_address(cls, address: str | None) -> str | None:
        parts = urlsplit(address or "https://example.com")
        if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("must be an address such as https://example.com/sources")
        return address

    @field_validator("api_key_env")
    @classmethod
    def _is_a_variable(cls, name: str | None) -> str | None:
        if name is not None and (not VARIABLE.fullmatch(name) or KEY.search(name)):
            # Without the value, which may be a key.
            raise ValueError("must be the name of an environment variable such as EXAMPLE_API_KEY")
        return name


def read_options(entrant: Entrant) -> ApiOptions:
    """Validate the options of an entrant.

    Raises:
        SpecError: an option is missing, invalid or unknown, or contains a key.
    """
    values = entrant.backend.options
    refuse_unknown_options(entrant, frozenset(ApiOptions.model_fields))
    for name, value in values.items():
        if name not in ("provider", "api_key_env") and KEY.search(str(value)):
            raise SpecError(
                f"{entrant.name}: {name} looks like an API key, and a spec must not contain one; "
                "set an environment variable to it and name it in backend.api_key_env."
            )
    if entrant.backend.call:
        raise SpecError(
            f"{entrant.name}: the api backend has no call arguments, because the provider file "
            "says what is sent; remove [backend.call]."
        )
    try:
        return ApiOptions.model_validate(values)
    except ValidationError as error:
        problem = describe_validation_error(error, ApiOptions, prefix="backend.")
        raise SpecError(f"{entrant.name}: {problem}.") from None


def read_provider(entrant: Entrant, options: ApiOptions) -> ProviderFile:
    """Read the entrant's provider file.

    Raises:
        SpecError: it is invalid, has ended, or is an operator's own of a host not trusted yet.
    """
    file = find_provider(options.provider)
    host = host_of(base_url(entrant, options, file))
    if not file.shipped and options.trusted_host != host:
        raise SpecError(
            f"{entrant.name}: the provider file {file.name} is not a shipped one: it sends prompts "
            f"and the key in {options.api_key_env or file.provider.key.variable} to {host}, at "
            f"{_list_prices(options, file)}; use `--trust-host {host}` (or backend.trusted_host) "
            "if you trust it."
        )
    _check_end(entrant, file.provider.ends, file.provider.title)
    if options.model not in file.provider.models:
        raise SpecError(
            f"{entrant.name}: {file.provider.title} has no model {options.model!r}; use one of "
            f"{', '.join(file.provider.models)}."
        )
    return file


def find_order(entrant: Entrant, options: ApiOptions, file: ProviderFile, modality: str) -> Order:
    """The order of the entrant's model for a modality.

    Raises:
        SpecError: there is none, or it has ended.
    """
    order = file.provider.find_order(options.model, modality)
    if order is None:
        known = [o.modality for o in file.provider.orders if options.model in o.models]
        raise SpecError(
            f"{entrant.name}: {options.model} cannot be ordered for {modality} tracks; use "
            f"{' or '.join(known)}."
        )
    _check_end(entrant, order.ends, options.model)
    return order


def read_keys(entrant: Entrant, options: ApiOptions, file: ProviderFile) -> dict[str, str]:
    """The keys from the environment, by the provider's names of their variables.

    Raises:
        MissingKey: a variable is not set.
        SpecError: a key has characters that no key has.
    """
    keys = {}
    for variable in file.provider.variables:
        name = variable
        if variable == file.provider.key.variable and options.api_key_env is not None:
            name = options.api_key_env
        value = os.environ.get(name, "").strip()
        if not value:
            raise MissingKey(
                f"{entrant.name}: the environment variable {name} is not set; set it to the key "
                f"for {file.provider.title}."
            )
        if not value.isascii() or not value.isprintable():
            raise SpecError(f"{entrant.name}: the key in {name} has characters that no key has.")
        keys[variable] = value
    return keys


def base_url(entrant: Entrant, options: ApiOptions, file: ProviderFile) -> str:
    """The address of the API in the entrant's region.

    Raises:
        SpecError: there is no such region.
    """
    if options.region is None:
        return file.provider.base_url
    if options.region not in file.provider.regions:
        known = ", ".join(file.provider.regions) or "none"
        raise SpecError(
            f"{entrant.name}: there is no region {options.region!r}; {file.provider.title} has "
            f"{known}."
        )
    return file.provider.regions[options.region]


def host_of(address: str) -> str:
    """Host, and port if there is one, of an address."""
    return urlsplit(address).netloc


def today() -> date:
    """The day, in UTC."""
    return datetime.now(UTC).date()


def notes_about(entrant: Entrant, options: ApiOptions, file: ProviderFile) -> tuple[str, ...]:
    """What an operator should know of a service before ordering."""
    provider = file.provider
    host = host_of(base_url(entrant, options, file))
    variable = options.api_key_env or provider.key.variable
    sentences = [
        f"{entrant.name} is ordered from {host}, with the key in {variable}, at "
        f"{_list_prices(options, file)}.",
        f"Its visible mark: {provider.mark}.",
        f"Rewriting of prompts: {_describe_rewriting(options, file)}.",
    ]
    age = (today() - provider.read).days
    if age > STALE_DAYS:
        sentences.append(
            f"Warning: the documents of {provider.title} were read {age} days ago, on "
            f"{provider.read}: check prices and models."
        )
    if provider.note:
        sentences.append(f"Note on {provider.title}: {provider.note}")
    return tuple(sentences)


def _describe_rewriting(options: ApiOptions, file: ProviderFile) -> str:
    """Whether the service rewrites the model's prompts, as a phrase."""
    orders = [each for each in file.provider.orders if options.model in each.models]
    return "; ".join(dict.fromkeys(REWRITING[file.provider.rewriting_of(each)] for each in orders))


def _list_prices(options: ApiOptions, file: ProviderFile) -> str:
    prices = file.provider.prices.get(options.model, {})
    if not prices:
        return "a price that the provider file does not say"
    listed = ", ".join(f"{price:g} ({tier})" for tier, price in prices.items())
    return f"US dollars per second of video: {listed}, as of {file.provider.read}"


def check_track(entrant: Entrant, track: TrackSettings) -> None:
    """Check that the entrant can serve a track; needs no key and sends nothing.

    Raises:
        SpecError: it cannot; says why.
    """
    from generator.backends.api.settings import choose

    options = read_options(entrant)
    file = read_provider(entrant, options)
    order = find_order(entrant, options, file, track.modality)
    if track.modality != "text-to-video" and order.source_as == "address":
        if options.sources_url is None:
            raise SpecError(
                f"{entrant.name}: {file.provider.title} takes the sources of {track.modality} as "
                "web addresses only; serve the folder with your prompts' sources at an https "
                "address and set backend.sources_url to it."
            )
    choose(file.provider, order, options.model, track, tier=options.tier)


def _check_end(entrant: Entrant, ends: date | None, what: str) -> None:
    if ends is not None and ends <= today():
        raise SpecError(f"{entrant.name}: {what} ended on {ends}; it can be ordered no more.")
