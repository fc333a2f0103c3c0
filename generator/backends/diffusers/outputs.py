"""Convert a pipeline's output to a raw clip."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generator.backends.diffusers.arguments import is_rounded_up
from generator.clips import RawClip
from generator.errors import BackendError
from generator.spec import TrackSettings

# Names of the fields in output classes, the most common first.
FRAMES = ("frames", "video", "videos")
SOUND = ("audio", "sound", "audios")


def read_output(
    output: Any, *, name: str, pipeline: Any, fps: Fraction, sample_rate: int | None = None
) -> RawClip:
    """Return the first clip of a pipeline's output, whatever its class.

    Args:
        output: What the pipeline's call returned.
        name: Name of the entrant, for error messages.
        pipeline: The pipeline, whose components know the sample rate.
        fps: Frame rate of the model.
        sample_rate: Sample rate in Hz; overrides that of the pipeline.

    Raises:
        BackendError: The output has no frames, or frames or sound that are not finite.
    """
    fields = _fields(output)
    frames = _first_of(fields, FRAMES)
    if frames is None:
        raise BackendError(
            f"{name}: the pipeline returned {', '.join(fields) or 'nothing'} but no frames; "
            "use a video pipeline."
        )
    audio = _first_of(fields, SOUND)
    sound = None if audio is None else _sound(audio, name=name)
    rate = None if sound is None else sample_rate or audio_rate(pipeline, name=name)
    return RawClip(_pixels(frames, name=name), fps, sound, rate)


def read_unknown_words(output: Any) -> tuple[str, ...]:
    """Return the words of the first prompt that the model does not know, if it reports them."""
    unknown = _fields(output).get("unknown_words")
    return tuple(unknown[0]) if unknown else ()


def may_have_sound(kind: type) -> bool:
    """Whether a pipeline may output sound, judged by the output classes of its module, if any."""
    from diffusers.utils.outputs import BaseOutput

    module = sys.modules.get(kind.__call__.__module__)
    outputs = [
        each
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, BaseOutput) and each is not BaseOutput
    ]
    names = {name for each in outputs for name in getattr(each, "__dataclass_fields__", ())}
    return not names or not names.isdisjoint(SOUND)


def crop_padding(
    raw: RawClip, track: TrackSettings, *, multiple: int
) -> tuple[RawClip, tuple[str, ...]]:
    """Center-crop frames that are larger only because the size was rounded up for the model.

    Returns:
        The clip, and what was changed, for the provenance.
    """
    height, width = raw.frames.shape[1:3]
    if not is_rounded_up(width, height, track, multiple=multiple):
        return raw, ()
    top, left = height - track.height, width - track.width
    rows = slice(top // 2, top // 2 + track.height)
    columns = slice(left // 2, left // 2 + track.width)
    cropped = np.ascontiguousarray(raw.frames[:, rows, columns])
    return replace(raw, frames=cropped), (
        f"cropped {width}x{height} to {track.width}x{track.height}",
    )


def audio_rate(pipeline: Any, *, name: str) -> int:
    """Return the sample rate of a pipeline's sound in Hz, from its components' configurations.

    Raises:
        BackendError: No component has one.
    """
    vocoder = getattr(getattr(pipeline, "vocoder", None), "config", None)
    audio_vae = getattr(getattr(pipeline, "audio_vae", None), "config", None)
    for component, key in (
        (pipeline, "audio_sample_rate"),
        (vocoder, "output_sampling_rate"),
        (audio_vae, "sample_rate"),
    ):
        rate = getattr(component, key, None)
        if isinstance(rate, int) and rate > 0:
            return rate
    raise BackendError(
        f"{name}: no component of the pipeline has a sample rate; set backend.sample_rate."
    )


def _fields(output: Any) -> dict[str, Any]:
    """Return the fields of an output: a mapping, an object, or a tuple of frames and sound."""
    if isinstance(output, Mapping):
        return dict(output)
    if isinstance(output, tuple):
        return dict(zip((FRAMES[0], SOUND[0]), output, strict=False))
    return dict(getattr(output, "__dict__", {}))


def _first_of(fields: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((fields[name] for name in names if fields.get(name) is not None), None)


def _pixels(frames: Any, *, name: str) -> NDArray[np.uint8]:
    """Return the first clip of a batch of arrays, tensors or PIL images as (T, H, W, 3)."""
    first = frames[0]
    if isinstance(first, list | tuple):
        return np.stack([np.asarray(image.convert("RGB")) for image in first])
    array = _array(first)
    if array.ndim == 4 and array.shape[-1] != 3 and array.shape[1] == 3:
        array = array.transpose(0, 2, 3, 1)
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    pixels = np.empty(array.shape, np.uint8)
    for frame, rounded in zip(array, pixels, strict=True):  # one frame fits the CPU's cache
        if not np.isfinite(frame).all():
            raise BackendError(f"{name}: the frames contain NaN or infinity; try dtype float32.")
        scaled = frame.clip(0, 1)
        scaled *= 255
        scaled += 0.5
        rounded[...] = scaled
    return pixels


def _sound(audio: Any, *, name: str) -> NDArray[np.float32]:
    """Return the first sound of a batch, or an unbatched sound, as (channels, N)."""
    array = _array(audio[0] if isinstance(audio, list | tuple) else audio)
    if array.ndim == 3:
        array = array[0]
    array = np.atleast_2d(array).astype(np.float32)
    if not np.isfinite(array).all():
        raise BackendError(f"{name}: the sound contains NaN or infinity; try dtype float32.")
    return array


def _array(values: Any) -> NDArray[Any]:
    if hasattr(values, "detach"):  # a torch tensor, perhaps of a dtype that numpy lacks
        values = values.detach().float().cpu().numpy()
    return np.asarray(values)
