"""Options of the diffusers backend, validated before anything is loaded."""

import os
import re
import shutil
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from generator.backends import refuse_unknown_options
from generator.errors import SpecError
from generator.spec import Entrant

OPTIONS = frozenset(
    {
        "compile",
        "device",
        "device_map",
        "dtype",
        "fps",
        "model",
        "offload",
        "pipeline",
        "revision",
        "sample_rate",
        "vae_slicing",
        "vae_tiling",
        "variant",
    }
)
DTYPES = ("float32", "bfloat16", "float16")
DEVICES = ("auto", "cpu", "cuda", "mps")
DEVICE_MAPS = ("balanced",)
OFFLOADS = ("none", "model", "sequential")
MAX_FPS = 240
# torch.compile needs one of these; triton builds its launcher with them too.
COMPILERS = ("g++", "clang++", "gcc", "clang")


@dataclass(frozen=True)
class Options:
    """The options in `[backend]`, with defaults filled in."""

    model: str
    pipeline: str | None
    revision: str | None
    variant: str | None
    dtype: str
    device: str  # "cpu", "cuda", "cuda:1", "mps"; never "auto"
    device_map: str | None
    offload: str
    compile: bool
    vae_tiling: bool
    vae_slicing: bool
    fps: Fraction | None
    sample_rate: int | None

    @property
    def is_hub_id(self) -> bool:
        """Whether the model is "owner/name"; paths are absolute once the spec has been read."""
        return self.model.count("/") == 1 and not self.model.startswith(("/", ".", "~"))

    @property
    def on_gpu(self) -> bool:
        """Whether the device is a CUDA GPU, whose memory and time torch can measure."""
        return self.device.startswith("cuda")

    def as_provenance(self) -> dict[str, Any]:
        """Options that were set, except model, dtype and device, which have their own fields."""
        keys = ("variant", "device_map", "offload", "compile", "vae_tiling", "vae_slicing")
        return {key: getattr(self, key) for key in keys if getattr(self, key) not in _UNSET}


_UNSET = (None, False, "none")


def read_options(entrant: Entrant) -> Options:
    """Validate the options of an entrant's `[backend]`.

    Raises:
        SpecError: An option is unknown, invalid, or not available on this machine.
    """
    refuse_unknown_options(entrant, OPTIONS)
    reader = _OptionReader(entrant)
    options = Options(
        model=reader.model(),
        pipeline=reader.text("pipeline"),
        revision=reader.text("revision"),
        variant=reader.text("variant"),
        dtype=reader.choice("dtype", DTYPES),
        device=reader.device(),
        device_map=reader.optional_choice("device_map", DEVICE_MAPS),
        offload=reader.choice("offload", OFFLOADS),
        compile=reader.switch("compile"),
        vae_tiling=reader.switch("vae_tiling"),
        vae_slicing=reader.switch("vae_slicing"),
        fps=reader.fps(),
        sample_rate=reader.sample_rate(),
    )
    _check_combinations(options, reader)
    return options


def _check_combinations(options: Options, reader: "_OptionReader") -> None:
    if options.device_map is not None:
        for other in ("device", "offload"):
            if other in reader.values:
                raise reader.error(
                    "device_map", f"and backend.{other} exclude each other; remove one"
                )
        if not options.on_gpu:
            raise reader.error("device_map", "needs a GPU and none is available; remove it")
    if options.offload != "none" and options.device == "cpu":
        raise reader.error(
            "offload",
            "moves a model between GPU and CPU memory, and the device is not a GPU; remove it",
        )
    if options.compile and options.offload == "sequential":
        raise reader.error("compile", 'cannot be used with offload = "sequential"; remove one')
    compilers = (*filter(None, (os.environ.get("CXX"), os.environ.get("CC"))), *COMPILERS)
    if options.compile and not any(shutil.which(compiler) for compiler in compilers):
        raise reader.error("compile", "needs a C++ compiler and none was found; install g++")


class _OptionReader:
    """Reads and validates single options."""

    def __init__(self, entrant: Entrant) -> None:
        self.name = entrant.name
        self.values = entrant.backend.options

    def error(self, key: str, problem: str) -> SpecError:
        return SpecError(f"{self.name}: backend.{key} {problem}.")

    def choice(self, key: str, choices: tuple[str, ...]) -> str:
        value = self.values.get(key, choices[0])
        if value not in choices:
            raise self.error(key, f"is {value!r}; use one of {', '.join(choices)}")
        return str(value)

    def optional_choice(self, key: str, choices: tuple[str, ...]) -> str | None:
        return self.choice(key, choices) if key in self.values else None

    def text(self, key: str) -> str | None:
        value = self.values.get(key)
        if value is not None and (not isinstance(value, str) or not value):
            raise self.error(key, f"is {value!r}; use a string or remove it")
        return value

    def switch(self, key: str) -> bool:
        value = self.values.get(key, False)
        if not isinstance(value, bool):
            raise self.error(key, f"is {value!r}; use true or false")
        return value

    def model(self) -> str:
        model = self.values.get("model")
        if not isinstance(model, str) or not model:
            raise self.error("model", "is missing; set the folder of a saved pipeline or a hub id")
        return model

    def device(self) -> str:
        """Return an available device; a GPU may have an index, as in "cuda:1"."""
        import torch

        value = self.values.get("device", DEVICES[0])
        numbered = re.fullmatch(r"cuda:(\d+)", value) if isinstance(value, str) else None
        device = "cuda" if numbered else self.choice("device", DEVICES)
        if device == "auto":
            return "cuda" if torch.cuda.is_available() else "cpu"
        if device == "cuda" and not torch.cuda.is_available():
            raise self.error("device", f'is {value!r}, which is not available; use "auto"')
        if numbered and int(numbered[1]) >= torch.cuda.device_count():
            raise self.error(
                "device",
                f"is {value!r} and this machine has {torch.cuda.device_count()} GPUs, counted "
                "from 0",
            )
        if device == "mps" and not torch.backends.mps.is_available():
            raise self.error("device", f'is {value!r}, which is not available; use "auto"')
        return str(value)

    def fps(self) -> Fraction | None:
        """Return the model's frame rate, which is not stored in a model's files."""
        value = self.values.get("fps")
        if value is None:
            return None
        try:
            fps = Fraction(str(value))
        except (ValueError, ZeroDivisionError):
            fps = Fraction(0)
        if not 0 < fps <= MAX_FPS:
            raise self.error("fps", f"is {value!r}; set the model's frames per second, such as 16")
        return fps

    def sample_rate(self) -> int | None:
        """Return the sample rate of the model's sound in Hz, if no component knows it."""
        rate = self.values.get("sample_rate")
        if rate is None or (type(rate) is int and rate > 0):
            return rate
        raise self.error("sample_rate", f"is {rate!r}; use samples per second, such as 48000")
