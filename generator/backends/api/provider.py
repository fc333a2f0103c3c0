"""Provider files: where they are found, and how they are read."""

import re
import tomllib
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from generator.backends.api.schema import Provider
from generator.errors import SpecError
from generator.validation import describe_validation_error, first_error

SUFFIX = ".toml"


class ProviderFile(BaseModel):
    """A provider with the file that it was read from."""

    model_config = ConfigDict(frozen=True)

    name: str  # of a shipped one; the path of an operator's own
    shipped: bool
    sha256: str
    provider: Provider


def shipped_providers() -> list[str]:
    """The names of the shipped providers, sorted."""
    return sorted(path.stem for path in _shipped_folder().glob(f"*{SUFFIX}"))


def shipped_entrants() -> list[Path]:
    """The files of the shipped entrants, sorted by name."""
    folder = Path(str(files("generator.backends.api") / "entrants"))
    return sorted(folder.glob(f"*{SUFFIX}"))


def find_provider(name: str) -> ProviderFile:
    """Read a shipped provider by its name, or an operator's own by its path, which ends in .toml.

    Raises:
        SpecError: there is no such file, or it is invalid; says in which line.
    """
    shipped = not name.endswith(SUFFIX)
    if shipped and name not in shipped_providers():
        raise SpecError(
            f"There is no provider {name!r}; use the path of a provider file, or one of "
            f"{', '.join(shipped_providers())}."
        )
    path = _shipped_folder() / f"{name}{SUFFIX}" if shipped else Path(name)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SpecError(f"The provider file {path} cannot be read: {error.strerror}.") from None
    return ProviderFile(
        name=name,
        shipped=shipped,
        sha256=sha256(data).hexdigest(),
        provider=parse_provider(data, source=str(path)),
    )


@lru_cache(maxsize=64)  # a bill asks for the same files once a clip
def parse_provider(data: bytes, *, source: str) -> Provider:
    """Check the text of a provider file.

    Raises:
        SpecError: it is not TOML, or a key is missing, wrong or unknown; says in which line.
    """
    try:
        text = data.decode()
        document = tomllib.loads(text)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise SpecError(f"The provider file {source} is not valid TOML: {error}.") from None
    try:
        return Provider.model_validate(document)
    except ValidationError as error:
        line = _line_of(text, first_error(error).path)
        where = f"{source}, line {line}," if line else source
        raise SpecError(
            f"The provider file {where} cannot be used: "
            f"{describe_validation_error(error, Provider)}."
        ) from None
    except RecursionError:
        raise SpecError(f"The provider file {source} is nested too deeply.") from None


def _line_of(text: str, path: tuple[str, ...]) -> int | None:
    """The line in which a key stands, counted from 1: found by the table and by the key's name."""
    keys = [part for part in path if not part.isdigit()]
    table: list[str] = []
    elements = -1  # number of the array's element that the line is in
    best: tuple[int, int] | None = None  # how many parts of the path fit, and the line
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[\[?\s*([^\]]+?)\s*\]", line):
            table = [part.strip(" \"'") for part in header[1].split(".")]
            elements = elements + 1 if line.lstrip().startswith("[[") else elements
        wanted = keys[len(table) :] if keys[: len(table)] == table else None
        in_element = table[:1] != ["orders"] or path[1:2] in ((), (str(elements),))
        if wanted is None or not in_element:
            continue
        fits = len(table)
        for key in wanted:
            if re.search(rf"(?<![\w-])[\"']?{re.escape(key)}[\"']?\s*=", line):
                fits += 1
        if fits > (best[0] if best else 0):
            best = fits, number
    return best[1] if best else None


def _shipped_folder() -> Path:
    return Path(str(files("generator.backends.api") / "providers"))
