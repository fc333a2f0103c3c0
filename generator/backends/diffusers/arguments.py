"""A request as the arguments of a pipeline's call, whatever the pipeline calls them."""

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError

from generator.errors import SpecError
from generator.spec import Entrant, Modality, TrackSettings

SIDES = ("height", "width")
FRAME_COUNT = ("num_frames", "video_length")
FRAME_RATE = ("frame_rate", "fps")
COUNTS = (*FRAME_COUNT, "num_inference_steps")
MAX_SIDE = 8192  # beyond what any of these models was trained on, and a rendition holds
MAX_COUNT = 100_000  # frames or steps
# What pipelines call one thing, the usual name first.
IMAGE = ("image", "input_image")
VIDEO = ("video", "input_video")
SOURCE: dict[Modality, tuple[str, ...]] = {"image-to-video": IMAGE, "video-edit": VIDEO}
# The request decides these, so that every entrant is asked for the same.
RESERVED = frozenset(
    {
        "prompt",
        "generator",
        "latents",
        "output_type",
        "return_dict",
        "callback_on_step_end",
        "num_videos_per_prompt",
        *IMAGE,
        *VIDEO,
    }
)
# What every request gives, in tracks of all kinds.
REQUEST_ARGUMENTS = (
    "prompt",
    "generator",
    "output_type",
    "height",
    "width",
    *FRAME_COUNT,
    *FRAME_RATE,
)


@dataclass
class CallArguments:
    """The arguments of one call, what the pipeline has no place for."""

    passed: dict[str, Any]
    dropped: dict[str, Any] = field(default_factory=dict)


def check_call(entrant: Entrant, call: Callable[..., Any]) -> None:
    """Refuse arguments in the spec that a pipeline's call does not have, or not as such.

    Raises:
        SpecError: naming the argument.
    """
    known = inspect.signature(call).parameters
    for key in entrant.backend.call:
        if key in RESERVED:
            raise SpecError(f"{entrant.name}: backend.call.{key} is set by the request; remove it.")
        if key not in known and not _accepts_any(known):
            open_to = ", ".join(sorted(set(known) - RESERVED - {"self"}))
            raise SpecError(
                f"{entrant.name}: backend.call.{key} is no argument of the pipeline; "
                f"remove it or use one of {open_to}."
            )
    check_values(entrant, call)


def check_values(entrant: Entrant, call: Callable[..., Any]) -> None:
    """Refuse values of another type than the call's signature has, and sizes that nothing has.

    Raises:
        SpecError: naming the argument.
    """
    try:
        types = get_type_hints(call)
    except Exception:  # whatever a name in a model's own code means, or not
        types = {}
    for key, value in entrant.backend.call.items():
        where = f"{entrant.name}: backend.call.{key} is {value!r}"
        if key in types and not _fits(value, types[key]):
            raise SpecError(f"{where}; the pipeline takes {_type_name(types[key])}.")
        if key in (*SIDES, *COUNTS):
            most = MAX_SIDE if key in SIDES else MAX_COUNT
            if type(value) is not int or not 1 <= value <= most:
                raise SpecError(f"{where}; give a whole number from 1 to {most}.")
        if key in FRAME_RATE and (type(value) not in (int, float) or not 0 < value <= MAX_COUNT):
            raise SpecError(f"{where}; give frames a second.")


def _fits(value: Any, kind: Any) -> bool:
    """Of single values only; "3" is not 3, and true is not 1."""
    if isinstance(value, list | dict):
        return True
    try:
        adapter = TypeAdapter(kind, config=ConfigDict(arbitrary_types_allowed=True))
    except (PydanticSchemaGenerationError, PydanticUserError, TypeError):
        return True  # of a type that says nothing of values
    try:
        adapter.validate_python(value, strict=True)
    except ValidationError:
        return False
    except Exception:  # a type of a model's own code may do anything
        return True
    return True


def _type_name(kind: Any) -> str:
    told = getattr(kind, "__name__", None) if isinstance(kind, type) else None
    return told or str(kind).replace("typing.", "")


def check_modality(entrant: Entrant, call: Callable[..., Any], modality: Modality) -> None:
    """Refuse a track whose prompts a pipeline has no argument for, or too few.

    Raises:
        SpecError: naming the argument.
    """
    known = inspect.signature(call).parameters
    source = SOURCE.get(modality, ())
    for names in (("prompt",), source):
        if names and not _accepts_any(known) and not any(name in known for name in names):
            raise SpecError(
                f"{entrant.name}: the pipeline takes no {names[0]}, which {modality} tracks give; "
                "name another pipeline class in backend.pipeline or remove the track."
            )
    given = {*REQUEST_ARGUMENTS, *source, *entrant.backend.call, "self"}
    for name, parameter in known.items():
        variadic = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        if parameter.default is parameter.empty and not variadic and name not in given:
            raise SpecError(
                f"{entrant.name}: the pipeline needs {name}, which {modality} tracks do not give; "
                f"set backend.call.{name}, name another pipeline class or remove the track."
            )


def _accepts_any(parameters: Mapping[str, inspect.Parameter]) -> bool:
    return any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())


def build_call(
    pipeline: Any,
    track: TrackSettings,
    *,
    fps: Fraction,
    call: dict[str, Any],
    given: dict[str, Any],
) -> CallArguments:
    """What to call the pipeline with: `given` and the track's size, over which `call` goes.

    Frame counts and sizes are rounded up to what the model's autoencoder can make. What the
    signature has no place for is dropped and recorded.
    """
    known = inspect.signature(pipeline.__call__).parameters
    arguments = CallArguments(passed={})
    frames = _round_up_frame_count(pipeline, math.ceil(track.frames / track.fps * fps))
    multiple = size_multiple(pipeline)
    rate = int(fps) if fps.denominator == 1 else float(fps)
    wanted: list[tuple[Iterable[str], Any]] = [
        (("height",), math.ceil(track.height / multiple) * multiple),
        (("width",), math.ceil(track.width / multiple) * multiple),
        (FRAME_COUNT, frames),
        (FRAME_RATE, rate),
        *(((key,), value) for key, value in given.items()),
    ]
    for names, value in wanted:
        name = next((name for name in names if name in known), None)
        if name is None:
            arguments.dropped[next(iter(names))] = value
        elif name not in call:
            arguments.passed[name] = value
    arguments.passed |= call
    return arguments


def size_multiple(pipeline: Any) -> int:
    """What height and width must be a multiple of: pixels a latent times latents a patch."""
    pixels = _first_int(
        pipeline, "vae_scale_factor_spatial", "vae_spatial_compression_ratio", "vae_scale_factor"
    )
    config = getattr(getattr(pipeline, "transformer", None), "config", None)
    patch = getattr(config, "patch_size", 1)
    if isinstance(patch, list | tuple):
        patch = patch[-1] if patch else 1
    return pixels * (patch if isinstance(patch, int) and patch > 0 else 1)


def is_rounded_up(width: int, height: int, track: TrackSettings, *, multiple: int) -> bool:
    """Whether a size is the track's but for what the model's multiples add."""
    right, below = width - track.width, height - track.height
    return 0 <= right < multiple and 0 <= below < multiple and right + below > 0


def _round_up_frame_count(pipeline: Any, frames: int) -> int:
    # Video autoencoders keep the first frame apart and compress the others in groups.
    group = _first_int(
        pipeline,
        "vae_scale_factor_temporal",
        "vae_temporal_compression_ratio",
        "vae_temporal_scale_factor",
    )
    return math.ceil((frames - 1) / group) * group + 1


def _first_int(pipeline: Any, *names: str) -> int:
    for name in names:
        value = getattr(pipeline, name, None)
        if isinstance(value, int) and value > 0:
            return value
    return 1
