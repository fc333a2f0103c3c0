"""Validated schemas of what the catalog holds: tracks, entrants and prompts, and their files."""

import json
import re
import tomllib
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from arena.catalog.tables import Table, describe_forbidden, read_csv_table, read_json_lines
from arena.errors import CatalogError
from arena.models import (
    KEY_LENGTH,
    NAME_LENGTH,
    OVERALL,
    PROMPT_REWRITING,
    SAMPLERS,
    Modality,
    Reveal,
)
from arena.validation import describe_key_error
from ratings.schema import TIE_RULES

TRACK_NAME = r"^[a-z0-9]+(-[a-z0-9]+)*$"
PROMPT_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
PROMPT_FLAGS = ("private", "held_out")
PROMPT_COLUMNS = {"id", "text", "categories", "tracks", "source", *PROMPT_FLAGS}
# A minute less than a battle's life (`arena.voting.battles.BATTLE_LIFETIME`), to vote in.
MAX_WATCH_MS = 29 * 60 * 1000
TRUE_WORDS = {"1", "true", "yes"}
FALSE_WORDS = {"", "0", "false", "no"}

# What voters can say about a choice, unless the track's file says otherwise.
PICTURE_REASONS = ("prompt", "motion", "picture", "consistency")
SOUND_REASONS = ("sound", "sync")
MAX_REASONS = 16
REASON = r"^[A-Za-z0-9][A-Za-z0-9 _/-]*$"  # exports join them by semicolons

Reason = Annotated[str, Field(min_length=1, max_length=40, pattern=REASON)]
Name = Annotated[str, Field(min_length=1, max_length=NAME_LENGTH)]


class Entry(BaseModel):
    """A catalog entry: immutable, and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TrackEntry(Entry):
    """A track file: the settings that are the same for every entrant."""

    name: Annotated[str, Field(pattern=TRACK_NAME, max_length=KEY_LENGTH)]
    modality: Modality
    audio: bool
    width: Annotated[int, Field(ge=16, le=4096, multiple_of=2)]
    height: Annotated[int, Field(ge=16, le=4096, multiple_of=2)]
    fps: Annotated[int, Field(ge=1, le=120)]
    frames: Annotated[int, Field(ge=1, le=7200)]
    video_kbps: Annotated[int, Field(ge=50, le=200_000)]
    bytes: Annotated[int, Field(ge=1000, le=4_000_000_000)]
    min_watch_ms: Annotated[int, Field(ge=0, le=MAX_WATCH_MS)] = -1
    reveal: Reveal = Reveal.AFTER_VOTE
    seeds: Annotated[int, Field(ge=1, le=1000)] = 1
    sampler: str = SAMPLERS[0]
    ties: str = TIE_RULES[0]
    reasons: Annotated[list[Reason], Field(max_length=MAX_REASONS)] = []
    prompt_rewriting: str = PROMPT_REWRITING[0]

    @model_validator(mode="before")
    @classmethod
    def _default_watch_time(cls, values: dict[str, Any]) -> dict[str, Any]:
        match values:
            case {"min_watch_ms": _}:
                return values
            case {"frames": int(frames), "fps": int(fps)} if fps > 0:
                # In integers: a number of thousands of digits has no float.
                return values | {"min_watch_ms": (2000 * frames + fps) // (2 * fps)}
        return values

    @model_validator(mode="before")
    @classmethod
    def _default_reasons(cls, values: dict[str, Any]) -> dict[str, Any]:
        if "reasons" in values:
            return values
        return values | {
            "reasons": [*PICTURE_REASONS, *(SOUND_REASONS if values.get("audio") else ())]
        }

    @field_validator("reasons")
    @classmethod
    def _different_reasons(cls, value: list[str]) -> list[str]:
        if len(set(value)) < len(value):
            raise ValueError("must be different from each other")
        return value

    @field_validator("sampler")
    @classmethod
    def _known_sampler(cls, value: str) -> str:
        return _one_of(value, SAMPLERS)

    @field_validator("ties")
    @classmethod
    def _known_ties(cls, value: str) -> str:
        return _one_of(value, TIE_RULES)

    @field_validator("prompt_rewriting")
    @classmethod
    def _known_rewriting(cls, value: str) -> str:
        return _one_of(value, PROMPT_REWRITING)


class EntrantEntry(Entry):
    """An entrant's specification; the generator validates its `backend`."""

    slug: Name
    chosen_slug: Name | None = None  # from the key `slug` of its file: not replaced if it is taken
    name: Name
    creator: Name
    release_date: date | None = None
    licence: Name
    tracks: Annotated[tuple[str, ...], Field(min_length=1)]
    codename: Name | None = None
    price_usd_per_minute: Annotated[float, Field(ge=0)] | None = None
    backend: dict[str, Any]


class PromptEntry(Entry):
    """One row of a prompt file; without `tracks`, for all tracks with or without a source."""

    id: Annotated[str, Field(min_length=1, max_length=KEY_LENGTH, pattern=PROMPT_ID)]
    text: Annotated[str, Field(min_length=1, max_length=4000)]
    categories: tuple[str, ...] = ()
    tracks: tuple[str, ...] = ()
    source: str | None = None
    private: bool = False
    held_out: bool = False  # a private prompt always is

    @field_validator("text")
    @classmethod
    def _check_text(cls, value: str) -> str:
        if problem := describe_forbidden(value):
            raise ValueError(problem)
        return value

    @field_validator("categories")
    @classmethod
    def _check_categories(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for category in value:
            if category == OVERALL or ";" in category or not category.strip():
                raise ValueError(
                    f"'{category}' cannot be a category: it must not be empty, '{OVERALL}', "
                    "or contain a semicolon"
                )
        return value


def _one_of(value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise ValueError(f"must be one of {', '.join(known)}")
    return value


def read_track(path: Path) -> TrackEntry:
    """Read a track file.

    Raises:
        CatalogError: names the file, the key and what is wrong with it.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        return TrackEntry(**values)
    except RecursionError as error:
        raise CatalogError(
            f"{path} is nested too deeply: a track file has single values."
        ) from error
    except OSError as error:
        raise CatalogError(f"{path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CatalogError(f"{path} is not TOML: {error}.") from error
    except ValidationError as error:
        raise CatalogError(f"{path}: {describe_key_error(error)}.") from error
    except ValueError as error:  # Python reads whole numbers of up to 4,300 digits
        raise CatalogError(f"{path} has a number of too many digits: shorten it.") from error


def read_prompts(path: Path) -> list[PromptEntry]:
    """Read the prompts of a CSV or JSON Lines file; paths in `source` are relative to the file.

    Raises:
        CatalogError: names the file and, where known, the row (from 1) and column.
    """
    table = _read_table(path)
    if missing := {"id", "text"} - set(table.columns):
        raise CatalogError(
            f"{path} has no column '{sorted(missing)[0]}': a prompt file needs id and text."
        )
    if unknown := set(table.columns) - PROMPT_COLUMNS:
        raise CatalogError(
            f"{path} has an unknown column '{sorted(unknown)[0]}': the columns are "
            "id, text, categories, tracks, source, private, held_out."
        )
    prompts: list[PromptEntry] = []
    for number, record in enumerate(table.rows, start=1):
        try:
            prompts.append(_prompt(record, path.parent))
        except ValidationError as error:
            raise CatalogError(f"{path}, row {number}: {describe_key_error(error)}.") from error
        except ValueError as error:
            raise CatalogError(f"{path}, row {number}: {error}.") from error
    _refuse_repeats(prompts, path)
    return prompts


def _read_table(path: Path) -> Table:
    suffix = path.suffix.lower()
    if suffix in (".jsonl", ".ndjson"):
        return read_json_lines(path, error=CatalogError)
    if suffix == ".csv":
        return read_csv_table(path, error=CatalogError)
    raise CatalogError(f"{path} must end in .csv or .jsonl.")


def _prompt(record: dict[str, Any], folder: Path) -> PromptEntry:
    values = {key: value for key, value in record.items() if _has_value(value)}
    for key in ("categories", "tracks"):
        if isinstance(values.get(key), str):
            values[key] = tuple(part.strip() for part in values[key].split(";") if part.strip())
    for key in PROMPT_FLAGS:
        if key in values:
            values[key] = _parse_bool(key, values[key])
    for key in ("id", "text"):
        if key in values:
            values[key] = _as_text(key, values[key])
    if "source" in values:
        source = folder / str(values["source"])
        if not source.is_file():
            raise ValueError(f"the source {source} does not exist")
        if not source.resolve().is_relative_to(folder.resolve()):
            # A file of somebody else's could publish any image or video of this machine.
            raise ValueError(
                f"the source {source} is outside the folder of the prompt file: copy it there"
            )
        values["source"] = str(source.absolute())
    return PromptEntry(**values)


def _has_value(value: Any) -> bool:
    return value is not None and value != ""


def _as_text(key: str, value: Any) -> str:
    """A text, or a number as it is written without decimals."""
    if isinstance(value, str):
        return re.sub(r"\r\n?", "\n", value).strip()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{key} = {json.dumps(value)[:80]}: write a text in double quotes")
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _parse_bool(key: str, value: Any) -> bool:
    word = str(value).strip().lower()
    if word not in TRUE_WORDS | FALSE_WORDS:
        raise ValueError(f"{key} = {value!r}: write true or false")
    return word in TRUE_WORDS


def _refuse_repeats(prompts: list[PromptEntry], path: Path) -> None:
    first_row: dict[str, int] = {}
    for number, prompt in enumerate(prompts, start=1):
        if prompt.id in first_row:
            raise CatalogError(
                f"{path}, row {number}: the id '{prompt.id}' was used in row "
                f"{first_row[prompt.id]} already."
            )
        first_row[prompt.id] = number
