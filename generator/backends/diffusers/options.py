"""The options of the diffusers backend, each checked with one sentence."""

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
# Any of these lets torch compile; triton builds its launcher with them too.
COMPILERS = ("g++", "clang++", "gcc", "clang")


@dataclass(frozen=True)
class Options:
    """What `[backend]` says, with what it leaves out filled in."""

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
        """An id is "owner/name"; paths were made absolute when the spec was read."""
        return self.model.count("/") == 1 and not self.model.startswith(("/", ".", "~"))

    @property
    def on_gpu(self) -> bool:
        """Whether torch's CUDA calls tell of the memory and time of a clip."""
        return self.device.startswith("cuda")

    def told(self) -> dict[str, Any]:
        """Those beside model, dtype and device that were set, for the provenance."""
        kept = ("variant", "device_map", "offload", "compile", "vae_tiling", "vae_slicing")
        return {key: getattr(self, key) for key in kept if getattr(self, key) not in _UNSET}


_UNSET = (None, False, "none")


def read_options(entrant: Entrant) -> Options:
    """The options of an entrant's `[backend]`.

    Raises:
        SpecError: An option is unknown, wrong, or not possible on this machine.
    """
    refuse_unknown_options(entrant, OPTIONS)
    read = _Reader(entrant)
    options = Options(
        model=read.model(),
        pipeline=read.text("pipeline"),
        revision=read.text("revision"),
        variant=read.text("variant"),
        dtype=read.choice("dtype", DTYPES),
        device=read.device(),
        device_map=read.choice("device_map", DEVICE_MAPS) if "device_map" in read.given else None,
        offload=read.choice("offload", OFFLOADS),
        compile=read.switch("compile"),
        vae_tiling=read.switch("vae_tiling"),
        vae_slicing=read.switch("vae_slicing"),
        fps=read.fps(),
        sample_rate=read.sample_rate(),
    )
    _check_combinations(options, read)
    return options


def _check_combinations(options: Options, read: "_Reader") -> None:
    if options.device_map is not None:
        for other in ("device", "offload"):
            if other in read.given:
                raise read.wrong(
                    "device_map", f"and backend.{other} exclude each other; remove one"
                )
        if not options.on_gpu:
            raise read.wrong("device_map", "needs GPUs and there are none here; remove it")
    if options.offload != "none" and options.device == "cpu":
        raise read.wrong(
            "offload",
            "moves a model between the memory of a GPU and the machine's, and runs on no GPU "
            "here; remove it",
        )
    if options.compile and options.offload == "sequential":
        raise read.wrong("compile", 'does not go with offload = "sequential"; remove one')
    compilers = (*filter(None, (os.environ.get("CXX"), os.environ.get("CC"))), *COMPILERS)
    if options.compile and not any(shutil.which(compiler) for compiler in compilers):
        raise read.wrong("compile", "needs a C++ compiler and there is none; install g++")


class _Reader:
    """Takes options one by one."""

    def __init__(self, entrant: Entrant) -> None:
        self.name = entrant.name
        self.given = entrant.backend.options

    def wrong(self, key: str, problem: str) -> SpecError:
        return SpecError(f"{self.name}: backend.{key} {problem}.")

    def choice(self, key: str, choices: tuple[str, ...]) -> str:
        value = self.given.get(key, choices[0])
        if value not in choices:
            raise self.wrong(key, f"is {value!r}; use one of {', '.join(choices)}")
        return str(value)

    def text(self, key: str) -> str | None:
        value = self.given.get(key)
        if value is not None and (not isinstance(value, str) or not value):
            raise self.wrong(key, f"is {value!r}; give a text or remove it")
        return value

    def switch(self, key: str) -> bool:
        value = self.given.get(key, False)
        if not isinstance(value, bool):
            raise self.wrong(key, f"is {value!r}; use true or false")
        return value

    def model(self) -> str:
        model = self.given.get("model")
        if not isinstance(model, str) or not model:
            raise self.wrong("model", "is missing; give the folder of a saved pipeline or a hub id")
        return model

    def device(self) -> str:
        """The device that is there; a GPU may have its number, as in "cuda:1"."""
        import torch

        written = self.given.get("device", DEVICES[0])
        numbered = re.fullmatch(r"cuda:(\d+)", written) if isinstance(written, str) else None
        device = "cuda" if numbered else self.choice("device", DEVICES)
        if device == "auto":
            return "cuda" if torch.cuda.is_available() else "cpu"
        if device == "cuda" and not torch.cuda.is_available():
            raise self.wrong("device", f'is {written!r} and there is no such GPU here; use "auto"')
        if numbered and int(numbered[1]) >= torch.cuda.device_count():
            raise self.wrong(
                "device", f"is {written!r} and there are {torch.cuda.device_count()} GPUs here"
            )
        if device == "mps" and not torch.backends.mps.is_available():
            raise self.wrong("device", f'is {written!r} and there is no such GPU here; use "auto"')
        return str(written)

    def fps(self) -> Fraction | None:
        """The rate of the model's own frames, which no model's files say."""
        written = self.given.get("fps")
        if written is None:
            return None
        try:
            fps = Fraction(str(written))
        except (ValueError, ZeroDivisionError):
            fps = Fraction(0)
        if not 0 < fps <= MAX_FPS:
            raise self.wrong(
                "fps", f"is {written!r}; give the frames a second that the model makes, such as 16"
            )
        return fps

    def sample_rate(self) -> int | None:
        """Samples a second of the model's sound, where no part of it says."""
        rate = self.given.get("sample_rate")
        if rate is None or (type(rate) is int and rate > 0):
            return rate
        raise self.wrong("sample_rate", f"is {rate!r}; give samples a second, such as 48000")
