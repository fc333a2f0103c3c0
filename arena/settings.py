"""The arena's settings, read once from `ARENA_*` variables or a `.env` file."""

import hashlib
import hmac
import os
import re
import secrets
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated

from dotenv import dotenv_values
from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from arena.errors import ConfigurationError
from arena.files import atomic_write
from arena.public_url import PublicUrl, parse_public_url
from arena.validation import first_problem

ENV_FILE = ".env"
ENV_PREFIX = "ARENA_"
SECRET_FILE = "secret_key"  # noqa: S105  (the name of a file, not a secret)
DATABASE_FILE = "arena.sqlite"
SECRET_BYTES = 32
SEED_PURPOSE = b"arena.seed"
WEAK_SECRETS = {"changethis", "change-me", "secret", "password", "hippodrome"}
DEFAULT_TITLE = "Hippodrome"
MAX_LINE = 100  # characters of the title and of the licence
CONTACT = re.compile(r"[^\s@<>\"']+@[^\s@<>\"'?&]+\.[^\s@<>\"'?&]+|https?://[^\s<>\"']+")
PERIODS_S = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


@dataclass(frozen=True)
class RateLimit:
    """At most `votes` in any `period_s` seconds."""

    votes: int
    period_s: int


def parse_rate_limit(text: str) -> tuple[RateLimit, ...]:
    """Parse `30/minute;600/hour`; `off` means no limit.

    Raises:
        ValueError: a part is not a number, a slash and a period.
    """
    if text.strip().lower() == "off":
        return ()
    limits = []
    for part in text.split(";"):
        count, _, period = part.strip().partition("/")
        if not count.isdigit() or int(count) < 1 or period not in PERIODS_S:
            raise ValueError(
                f"'{part.strip()}' is not a limit; write for example 30/minute;600/hour, or off"
            )
        limits.append(RateLimit(int(count), PERIODS_S[period]))
    return tuple(limits)


def parse_budget(text: str) -> tuple[RateLimit, ...]:
    """Parse a limit on battles that get no vote, such as `600/hour;1500/day`; `off` means none.

    Raises:
        ValueError: a part is not a number, a slash and `hour` or `day`.
    """
    limits = parse_rate_limit(text)
    if any(limit.period_s not in (PERIODS_S["hour"], PERIODS_S["day"]) for limit in limits):
        raise ValueError(f"'{text}' is not by the hour or day; write for example 600/hour;1500/day")
    return limits


def _check_network(name: str) -> None:
    try:
        ip_network(name)
    except ValueError as error:
        raise ValueError(
            f"{name!r} is not an IP address or a network: write for example 127.0.0.1,10.0.0.0/8, "
            "or * if only your proxy can reach the server"
        ) from error


class Settings(BaseSettings):
    """What an operator can set; the variable of a field is `ARENA_` and its name in capitals.

    Unknown variables are ignored, and so is `ARENA_ADMIN_TOKEN`, which nothing uses yet.
    """

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_file=ENV_FILE, extra="ignore", frozen=True
    )

    home: Annotated[Path, BeforeValidator(lambda value: Path(value).expanduser().absolute())] = (
        Field(default=Path("arena-data"), validate_default=True)
    )
    database_url: str = ""
    media_url: str = ""
    secret_key: SecretStr = SecretStr("")
    public_url: str = ""
    trusted_proxies: str = ""
    rate_limit: str = "30/minute;600/hour"
    network_limit: str = "600/hour;1500/day"
    total_limit: str = "20000/hour;100000/day"
    title: str = DEFAULT_TITLE
    contact: str = ""
    release_licence: str = ""

    @field_validator("title", "release_licence")
    @classmethod
    def _check_line(cls, value: str) -> str:
        value = value.strip()
        if len(value) > MAX_LINE or not value.isprintable():
            raise ValueError(f"must be one line of at most {MAX_LINE} printable characters")
        return value

    @field_validator("title")
    @classmethod
    def _default_title(cls, value: str) -> str:
        return value or DEFAULT_TITLE

    @field_validator("contact")
    @classmethod
    def _check_contact(cls, value: str) -> str:
        value = value.strip()
        if value and not CONTACT.fullmatch(value):
            raise ValueError(
                "must be an e-mail address or an http(s) address, such as arena@example.org"
            )
        return value

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, value: str) -> str:
        return str(parse_public_url(value)) if value else value

    @field_validator("trusted_proxies")
    @classmethod
    def _check_trusted_proxies(cls, value: str) -> str:
        names = [name.strip() for name in value.split(",") if name.strip()]
        for name in names:
            if name != "*":
                _check_network(name)
        return ",".join(names)

    @field_validator("rate_limit")
    @classmethod
    def _check_rate_limit(cls, value: str) -> str:
        parse_rate_limit(value)
        return value

    @field_validator("network_limit", "total_limit")
    @classmethod
    def _check_budget(cls, value: str) -> str:
        parse_budget(value)
        return value

    @field_validator("secret_key")
    @classmethod
    def _refuse_weak_secrets(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        if text and (text.lower() in WEAK_SECRETS or len(text) < SECRET_BYTES // 2):
            raise ValueError(
                "is too easy to guess; unset it to have `arena init` make one, "
                f"or set at least {SECRET_BYTES // 2} random characters"
            )
        return value

    @cached_property
    def public(self) -> PublicUrl | None:
        """The address that voters open, if it is set."""
        return parse_public_url(self.public_url) if self.public_url else None

    @property
    def base_path(self) -> str:
        """The path below which everything is served, such as `/arena`; empty for none."""
        return self.public.base_path if self.public else ""

    @property
    def database(self) -> str:
        """The database's URL; by default SQLite in `home`."""
        return self.database_url or f"sqlite:///{self.home / DATABASE_FILE}"

    @property
    def media(self) -> str:
        """Where masters and renditions are stored; by default a folder in `home`."""
        return self.media_url or str(self.home / "media")

    @property
    def limits(self) -> tuple[RateLimit, ...]:
        """Limits on the votes of one voter; empty if they are off."""
        return parse_rate_limit(self.rate_limit)

    @property
    def network_limits(self) -> tuple[RateLimit, ...]:
        """Limits on the battles without a vote of one network; off if `limits` are."""
        return () if self.limits_off else parse_budget(self.network_limit)

    @property
    def total_limits(self) -> tuple[RateLimit, ...]:
        """Limits on the battles without a vote of all new voters; off if `limits` are."""
        return () if self.limits_off else parse_budget(self.total_limit)

    @property
    def limits_off(self) -> bool:
        """Whether vote limits and watch time are lifted (for a server on the loopback only)."""
        return not self.limits

    def check_home(self) -> None:
        """Raise ConfigurationError unless `arena init` or `arena demo` made an arena here."""
        if self.database_url or (self.home / DATABASE_FILE).is_file():
            return
        shown = self.home
        if shown.is_relative_to(Path.cwd()):
            shown = shown.relative_to(Path.cwd())
        place = shown if shown.is_absolute() or shown == Path(".") else f"./{shown}"
        raise ConfigurationError(
            f"There is no arena in {place}. Set ARENA_HOME to yours, or run `arena init`."
        )

    def signing_key(self) -> str:
        """Return the key that signs cookies and clip addresses.

        Raises:
            ConfigurationError: neither the setting nor the file made by `arena init` exists.
        """
        if key := self.secret_key.get_secret_value():
            return key
        path = self.home / SECRET_FILE
        if not path.is_file():
            raise ConfigurationError(f"{self.home} has no secret key: run `arena init` first.")
        return path.read_text(encoding="ascii").strip()

    def seed_key(self) -> str:
        """Return the key of the clips' seeds, which follows from `signing_key`; raises as it."""
        return hmac.new(self.signing_key().encode(), SEED_PURPOSE, hashlib.sha256).hexdigest()


def load_settings() -> Settings:
    """Read the settings of this process.

    Raises:
        ConfigurationError: names the first variable that is wrong.
    """
    try:
        return Settings()
    except ValidationError as error:
        problem = first_problem(error)
        name = f"ARENA_{problem.location.upper()}"
        raise ConfigurationError(f"{name} {problem.message}.") from error


def variables_from_env_file() -> tuple[Path, list[str]]:
    """Return the path of the `.env` file, and the names of the variables that it set.

    A variable of the environment takes precedence over the file, so it is not among them.
    """
    path = Path(ENV_FILE).absolute()
    names = dotenv_values(path) if path.is_file() else {}
    known = {f"{ENV_PREFIX}{name.upper()}" for name in Settings.model_fields}
    in_environment = {name.upper() for name in os.environ}
    used = sorted(name.upper() for name in names if name.upper() in known - in_environment)
    return path, used


def make_home(settings: Settings) -> None:
    """Create `ARENA_HOME` and its secret key (mode 0600); keep what already exists.

    Raises:
        ConfigurationError: the folder cannot be written.
    """
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        path = settings.home / SECRET_FILE
        if not settings.secret_key.get_secret_value() and not path.exists():
            # Two processes that start at once agree on the key of the first.
            with atomic_write(path, overwrite=False) as draft:
                draft.touch(mode=0o600)
                draft.write_text(secrets.token_urlsafe(SECRET_BYTES), encoding="ascii")
    except OSError as error:
        raise ConfigurationError(
            f"ARENA_HOME {settings.home} cannot be written ({error.strerror}): "
            "make it writable or set ARENA_HOME to another folder."
        ) from error
