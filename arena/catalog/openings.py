"""Commitments of codenames, and the openings that prove what they committed to.

An opening names model and maker and has the hash of what runs and a random nonce. Its SHA-256 is
public from the moment the codename enters; the opening itself goes to a file for the maker, and
nothing of it to the database or the terminal.
"""

import json
import os
import secrets
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from arena.canonical import canonical_json, sha256_hex
from arena.errors import CatalogError
from arena.files import atomic_write
from arena.models import NAME_LENGTH
from arena.text import distinct_slug
from arena.validation import first_problem

FOLDER = "openings"  # in ARENA_HOME
SUFFIX = ".json"
NONCE_BYTES = 32
MAX_BYTES = 64 * 1024  # of an opening's file
MAX_FILE_NAME = 200  # bytes; file systems allow 255
HASH = r"^[0-9a-f]{64}$"
# The hashes of what runs, one of which an opening has.
KINDS = ("weights_sha256", "endpoint_sha256", "clips_sha256")


class Opening(BaseModel):
    """What a commitment commits to; its hash is over these keys alone, without those unset."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str = Field(min_length=1, max_length=NAME_LENGTH)
    creator: str = Field(min_length=1, max_length=NAME_LENGTH)
    nonce: str = Field(min_length=16, max_length=200)
    weights_sha256: str | None = Field(default=None, pattern=HASH)
    endpoint_sha256: str | None = Field(default=None, pattern=HASH)
    clips_sha256: str | None = Field(default=None, pattern=HASH)

    @model_validator(mode="after")
    def _check_one_hash(self) -> Self:
        if sum(getattr(self, kind) is not None for kind in KINDS) != 1:
            raise ValueError(f"an opening has one of the keys {', '.join(KINDS)}")
        return self

    @property
    def document(self) -> str:
        """The canonical JSON."""
        return canonical_json(self.model_dump(exclude_none=True))

    @property
    def commitment(self) -> str:
        """The SHA-256 of the canonical JSON, which is public from the start."""
        return sha256_hex(self.document)

    @property
    def fingerprint(self) -> str:
        """What runs, as `Entrant.fingerprint` holds it."""
        return next(f"{kind}:{value}" for kind in KINDS if (value := getattr(self, kind)))


def new_opening(*, name: str, creator: str, fingerprint: str) -> Opening:
    """Return an opening with a nonce that nobody can guess.

    Args:
        name: of the model.
        creator: its maker.
        fingerprint: a kind of `KINDS`, a colon and a SHA-256.
    """
    kind, _, value = fingerprint.partition(":")
    known: dict[str, Any] = {kind: value}
    return Opening(name=name, creator=creator, nonce=secrets.token_hex(NONCE_BYTES), **known)


def parse_opening(text: str, *, source: str) -> Opening:
    """Read an opening.

    Args:
        text: JSON.
        source: how messages name where it is from.

    Raises:
        CatalogError: it is not an opening; says what is wrong, and nothing of its content.
    """
    try:
        return Opening.model_validate(json.loads(text))
    except ValidationError as error:
        problem = first_problem(error)
        where = f"{problem.location}: " if problem.location else ""
        raise CatalogError(f"{source} is not an opening: {where}{problem.message}.") from error
    except (ValueError, RecursionError) as error:
        raise CatalogError(f"{source} is not an opening: it is not JSON.") from error


def read_opening(path: Path) -> Opening:
    """Read the file that `arena entrants add` wrote.

    Raises:
        CatalogError: it cannot be read, or is not an opening.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CatalogError(f"{path} is not an opening: it is larger than {MAX_BYTES:,} bytes.")
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise CatalogError(f"{path} is not an opening: it is not UTF-8.") from error
    except OSError as error:
        raise CatalogError(f"{path} cannot be read: {error.strerror}.") from error
    return parse_opening(text, source=str(path))


def opening_path(home: Path, codename: str) -> Path:
    """Where the opening of a codename is written: a file of its name in ARENA_HOME."""
    plain = "/" not in codename and "\\" not in codename and not codename.startswith(".")
    if not plain or len(codename.encode()) > MAX_FILE_NAME:
        codename = distinct_slug("codename", codename)
    return home / FOLDER / f"{codename}{SUFFIX}"


def write_opening(path: Path, opening: Opening) -> None:
    """Write an opening, readable by its owner alone, and have the disk keep it.

    Raises:
        CatalogError: another opening is there, or the file cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists():
            raise CatalogError(
                f"{path} is the opening of an earlier entrant of this codename: move it away, or "
                "choose another codename."
            )
        with atomic_write(path, overwrite=False) as draft:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(opening.document + "\n")
                file.flush()
                os.fsync(file.fileno())
    except OSError as error:
        raise CatalogError(
            f"The opening {path} cannot be written ({error.strerror}): free some space, or make "
            "the folder writable."
        ) from error
