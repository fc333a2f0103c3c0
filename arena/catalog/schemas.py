"""What can be entered in the catalog: tracks, entrants and prompts, checked field by field."""

import tomllib
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from arena.errors import CatalogError
from arena.models import OVERALL, Modality, Reveal
from arena.voting.matchmaking import SAMPLERS

NAME = r"^[a-z0-9]+(-[a-z0-9]+)*$"
PROMPT_COLUMNS = {"id", "text", "categories", "tracks", "source", "private"}
# What `ratings` offers for ties; a track names one of them in its published rules.
TIES = ("half", "davidson", "drop")
TRUE_WORDS = {"1", "true", "yes"}
FALSE_WORDS = {"", "0", "false", "no"}


class Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TrackEntry(Entry):
    """A track file: the terms that are identical for every entrant."""

    name: Annotated[str, Field(pattern=NAME, max_length=80)]
    modality: Modality
    audio: bool
    width: Annotated[int, Field(ge=16, le=4096, multiple_of=2)]
    height: Annotated[int, Field(ge=16, le=4096, multiple_of=2)]
    fps: Annotated[int, Field(ge=1, le=120)]
    frames: Annotated[int, Field(ge=1, le=7200)]
    video_kbps: Annotated[int, Field(ge=50, le=200_000)]
    bytes: Annotated[int, Field(ge=1000, le=4_000_000_000)]
    min_watch_ms: Annotated[int, Field(ge=0)] = -1
    reveal: Reveal = Reveal.AFTER_VOTE
    seeds: Annotated[int, Field(ge=1, le=1000)] = 1
    sampler: str = SAMPLERS[0]
    ties: str = TIES[0]

    @model_validator(mode="before")
    @classmethod
    def _watch_to_the_end(cls, values: dict[str, Any]) -> dict[str, Any]:
        match values:
            case {"min_watch_ms": _}:
                return values
            case {"frames": int(frames), "fps": int(fps)} if fps > 0:
                return values | {"min_watch_ms": round(1000 * frames / fps)}
        return values

    @field_validator("sampler")
    @classmethod
    def _known_sampler(cls, value: str) -> str:
        return _one_of(value, SAMPLERS)

    @field_validator("ties")
    @classmethod
    def _known_ties(cls, value: str) -> str:
        return _one_of(value, TIES)


class EntrantEntry(Entry):
    """An entrant's specification, its backend's part kept as it is for the generator."""

    slug: Annotated[str, Field(min_length=1, max_length=120)]
    name: Annotated[str, Field(min_length=1, max_length=120)]
    creator: Annotated[str, Field(min_length=1, max_length=120)]
    release_date: date | None = None
    licence: Annotated[str, Field(min_length=1, max_length=120)]
    tracks: Annotated[tuple[str, ...], Field(min_length=1)]
    codename: Annotated[str, Field(min_length=1, max_length=120)] | None = None
    price_usd_per_minute: Annotated[float, Field(ge=0)] | None = None
    backend: dict[str, Any]


class PromptEntry(Entry):
    """One row of a prompt file. No tracks named means every track of fitting modality."""

    id: Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    text: Annotated[str, Field(min_length=1, max_length=4000)]
    categories: tuple[str, ...] = ()
    tracks: tuple[str, ...] = ()
    source: str | None = None
    private: bool = False

    @field_validator("categories")
    @classmethod
    def _plain_categories(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for category in value:
            if category == OVERALL or ";" in category or not category.strip():
                raise ValueError(f"'{category}' cannot be a category: choose a plain word")
        return value


def _one_of(value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise ValueError(f"must be one of {', '.join(known)}")
    return value


def read_track(path: Path) -> TrackEntry:
    """A track file.

    Raises:
        CatalogError: naming the file, the key and what is wrong with it.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        return TrackEntry(**values)
    except OSError as error:
        raise CatalogError(f"{path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CatalogError(f"{path} is not TOML: {error}.") from error
    except ValidationError as error:
        raise CatalogError(f"{path}: {explain(error)}.") from error


def explain(error: ValidationError) -> str:
    """The first thing that is wrong, as part of a sentence."""
    # A misspelt key before the one that is missing for it.
    first = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
    key = ".".join(str(part) for part in first["loc"]) or "the file"
    if first["type"] == "missing":
        return f"the key '{key}' is missing"
    if first["type"] == "extra_forbidden":
        return f"the key '{key}' is not known"
    if first["type"] == "string_pattern_mismatch":
        return (
            f"{key} = {first['input']!r}: letters and digits, joined by hyphens, are what it may be"
        )
    return f"{key} = {first['input']!r}: {first['msg'].removeprefix('Value error, ')}"


def read_prompts(path: Path) -> list[PromptEntry]:
    """The prompts of a CSV or JSON-lines file; a source is relative to the file.

    Raises:
        CatalogError: naming the file, and the row (from 1) and column where there is one.
    """
    frame = _read_table(path)
    if missing := {"id", "text"} - set(frame.columns):
        raise CatalogError(
            f"{path} has no column '{sorted(missing)[0]}': a prompt file needs id and text."
        )
    if unknown := set(frame.columns) - PROMPT_COLUMNS:
        raise CatalogError(
            f"{path} has a column '{sorted(unknown)[0]}' that is not known: the columns are "
            "id, text, categories, tracks, source, private."
        )
    prompts: list[PromptEntry] = []
    for number, record in enumerate(frame.to_dict("records"), start=1):
        try:
            prompts.append(_prompt({str(key): value for key, value in record.items()}, path.parent))
        except ValidationError as error:
            raise CatalogError(f"{path}, row {number}: {explain(error)}.") from error
        except ValueError as error:
            raise CatalogError(f"{path}, row {number}: {error}.") from error
    _refuse_repeats(prompts, path)
    return prompts


def _read_table(path: Path) -> pd.DataFrame:
    try:
        if path.suffix == ".jsonl":
            frame = pd.read_json(path, lines=True, dtype=False)
        elif path.suffix == ".csv":
            frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        else:
            raise CatalogError(f"{path} must end in .csv or .jsonl.")
    except OSError as error:
        raise CatalogError(f"{path} cannot be read: {error.strerror or 'no such file'}.") from error
    except (ValueError, pd.errors.ParserError) as error:
        raise CatalogError(f"{path} is no table of prompts: {str(error).strip()}.") from error
    return frame


def _prompt(record: dict[str, Any], folder: Path) -> PromptEntry:
    values = {key: value for key, value in record.items() if _is_given(value)}
    for key in ("categories", "tracks"):
        if isinstance(values.get(key), str):
            values[key] = tuple(part.strip() for part in values[key].split(";") if part.strip())
    if "private" in values:
        values["private"] = _truth(values["private"])
    for key in ("id", "text"):
        if key in values:
            values[key] = str(values[key]).strip()
    if "source" in values:
        source = folder / str(values["source"])
        if not source.is_file():
            raise ValueError(f"the source {source} is not there")
        values["source"] = str(source.absolute())
    return PromptEntry(**values)


def _is_given(value: Any) -> bool:
    return isinstance(value, list | tuple) or (not pd.isna(value) and value != "")


def _truth(value: Any) -> bool:
    word = str(value).strip().lower()
    if word not in TRUE_WORDS | FALSE_WORDS:
        raise ValueError(f"private = {value!r}: write true or false")
    return word in TRUE_WORDS


def _refuse_repeats(prompts: list[PromptEntry], path: Path) -> None:
    first: dict[str, int] = {}
    for number, prompt in enumerate(prompts, start=1):
        if prompt.id in first:
            raise CatalogError(
                f"{path}, row {number}: the id '{prompt.id}' stands in row {first[prompt.id]} too."
            )
        first[prompt.id] = number
