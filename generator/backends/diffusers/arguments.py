"""Validate and build the arguments of a pipeline's call, whose names differ between pipelines."""

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

# Alternative names of one argument, the most common first.
FRAME_COUNT = ("num_frames", "video_length")
FRAME_RATE = ("frame_rate", "fps")
IMAGE = ("image", "input_image")
VIDEO = ("video", "input_video")
SOURCE: dict[Modality, tuple[str, ...]] = {"image-to-video": IMAGE, "video-edit": VIDEO}
SIDES = ("height", "width")
COUNTS = (*FRAME_COUNT, "num_inference_steps")
MAX_SIDE = 8192  # pixels; more than any of these models was trained on
MAX_COUNT = 100_000  # frames or steps
# Set by the request, so that every entrant gets the same.
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
# Supplied by every request, in tracks of all modalities.
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
    """The arguments to pass, and those that the pipeline does not accept."""

    passed: dict[str, Any]
    dropped: dict[str, Any] = field(default_factory=dict)


def check_call(entrant: Entrant, call: Callable[..., Any]) -> None:
    """Reject arguments in the spec that are reserved, unknown to the call, or of a wrong type.

    Raises:
        SpecError: An argument is not allowed; the message names it.
    """
    known = inspect.signature(call).parameters
    for key in entrant.backend.call:
        if key in RESERVED:
            raise SpecError(f"{entrant.name}: backend.call.{key} is set by the request; remove it.")
        if key not in known and not _accepts_any(known):
            allowed = ", ".join(sorted(set(known) - RESERVED - {"self"}))
            raise SpecError(
                f"{entrant.name}: backend.call.{key} is not an argument of the pipeline; "
                f"remove it or use one of {allowed}."
            )
    check_values(entrant, call)


def check_values(entrant: Entrant, call: Callable[..., Any]) -> None:
    """Reject values that do not match the call's type hints, and impossible sizes and counts.

    Raises:
        SpecError: A value is not allowed; the message names the argument.
    """
    try:
        hints = get_type_hints(call)
    except Exception:  # a hint in a model's own code may not resolve
        hints = {}
    for key, value in entrant.backend.call.items():
        problem = f"{entrant.name}: backend.call.{key} is {value!r}"
        if key in hints and not _matches_hint(value, hints[key]):
            raise SpecError(f"{problem}; the pipeline expects {_type_name(hints[key])}.")
        if key in (*SIDES, *COUNTS):
            maximum = MAX_SIDE if key in SIDES else MAX_COUNT
            if type(value) is not int or not 1 <= value <= maximum:
                raise SpecError(f"{problem}; use a whole number from 1 to {maximum}.")
        if key in FRAME_RATE and (type(value) not in (int, float) or not 0 < value <= MAX_COUNT):
            raise SpecError(f"{problem}; use frames per second.")


def _matches_hint(value: Any, hint: Any) -> bool:
    """Whether a scalar strictly has the hinted type: "3" is not an int, and neither is true."""
    if isinstance(value, list | dict):
        return True
    try:
        adapter = TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True))
    except (PydanticSchemaGenerationError, PydanticUserError, TypeError):
        return True  # pydantic cannot check this type
    try:
        adapter.validate_python(value, strict=True)
    except ValidationError:
        return False
    except Exception:  # a validator in a model's own code may raise anything
        return True
    return True


def _type_name(hint: Any) -> str:
    name = getattr(hint, "__name__", None) if isinstance(hint, type) else None
    return name or str(hint).replace("typing.", "")


def check_modality(entrant: Entrant, call: Callable[..., Any], modality: Modality) -> None:
    """Reject a track that has inputs the pipeline does not accept, or lacks inputs it requires.

    Raises:
        SpecError: The pipeline does not fit the track; the message names the argument.
    """
    known = inspect.signature(call).parameters
    source = SOURCE.get(modality, ())
    for names in (("prompt",), source):
        if names and not _accepts_any(known) and not any(name in known for name in names):
            raise SpecError(
                f"{entrant.name}: the pipeline has no argument {names[0]}, which {modality} tracks "
                "use; set backend.pipeline to another class or remove the track."
            )
    available = {*REQUEST_ARGUMENTS, *source, *entrant.backend.call, "self"}
    for name, parameter in known.items():
        variadic = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        if parameter.default is parameter.empty and not variadic and name not in available:
            raise SpecError(
                f"{entrant.name}: the pipeline requires {name}, which {modality} tracks do not "
                f"have; set backend.call.{name}, use another pipeline class or remove the track."
            )


def _accepts_any(parameters: Mapping[str, inspect.Parameter]) -> bool:
    return any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())


def build_call(
    pipeline: Any,
    track: TrackSettings,
    *,
    fps: Fraction,
    call: dict[str, Any],
    common: dict[str, Any],
) -> CallArguments:
    """Build the arguments of a pipeline's call.

    Frame counts and sizes are rounded up to what the model's autoencoder can generate. Arguments
    that the signature does not accept are dropped and recorded.

    Args:
        pipeline: The pipeline.
        track: Gives size, duration and frame rate.
        fps: Frame rate of the model.
        call: Arguments from the spec; they override the others.
        common: Arguments of every request, such as the prompt.
    """
    known = inspect.signature(pipeline.__call__).parameters
    arguments = CallArguments(passed={})
    frames = _round_up_frame_count(pipeline, math.ceil(track.frames / track.fps * fps))
    multiple = size_multiple(pipeline)
    rate = int(fps) if fps.denominator == 1 else float(fps)
    values: list[tuple[Iterable[str], Any]] = [
        (("height",), math.ceil(track.height / multiple) * multiple),
        (("width",), math.ceil(track.width / multiple) * multiple),
        (FRAME_COUNT, frames),
        (FRAME_RATE, rate),
        *(((key,), value) for key, value in common.items()),
    ]
    for names, value in values:
        name = next((name for name in names if name in known), None)
        if name is None:
            arguments.dropped[next(iter(names))] = value
        elif name not in call:
            arguments.passed[name] = value
    arguments.passed |= call
    return arguments


def size_multiple(pipeline: Any) -> int:
    """Height and width must be multiples of this: pixels per latent times latents per patch."""
    pixels = _first_int(
        pipeline, "vae_scale_factor_spatial", "vae_spatial_compression_ratio", "vae_scale_factor"
    )
    config = getattr(getattr(pipeline, "transformer", None), "config", None)
    patch = getattr(config, "patch_size", 1)
    if isinstance(patch, list | tuple):
        patch = patch[-1] if patch else 1
    return pixels * (patch if isinstance(patch, int) and patch > 0 else 1)


def is_rounded_up(width: int, height: int, track: TrackSettings, *, multiple: int) -> bool:
    """Whether a size is the track's size rounded up to a multiple, and larger than it."""
    right, below = width - track.width, height - track.height
    return 0 <= right < multiple and 0 <= below < multiple and right + below > 0


def _round_up_frame_count(pipeline: Any, frames: int) -> int:
    # Video autoencoders encode the first frame separately and the others in groups.
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
