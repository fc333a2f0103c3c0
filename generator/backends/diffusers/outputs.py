"""What a pipeline returned, as a raw clip."""

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

# What output classes call them, the usual name first.
FRAMES = ("frames", "video", "videos")
SOUND = ("audio", "sound", "audios")


def read_output(
    output: Any, *, name: str, pipeline: Any, fps: Fraction, sample_rate: int | None = None
) -> RawClip:
    """The first clip of a pipeline's output, of whatever class it is.

    `sample_rate` is of its sound, in Hz; without one its parts are asked.

    Raises:
        BackendError: The output has no frames, or frames or sound that are not finite.
    """
    fields = _fields(output)
    frames = _first_of(fields, FRAMES)
    if frames is None:
        raise BackendError(
            f"{name}: the pipeline returned {', '.join(fields) or 'nothing'} and no frames; "
            "use a video pipeline."
        )
    audio = _first_of(fields, SOUND)
    sound = None if audio is None else _sound(audio, name=name)
    rate = None if sound is None else sample_rate or audio_rate(pipeline, name=name)
    return RawClip(_pixels(frames, name=name), fps, sound, rate)


def read_warnings(output: Any) -> tuple[str, ...]:
    """What the model says of the first prompt: the words that it does not know."""
    unknown = _fields(output).get("unknown_words")
    words = unknown[0] if unknown else ()
    return (f"unknown words: {', '.join(words)}",) if words else ()


def may_have_sound(kind: type) -> bool:
    """Whether a pipeline's output may have sound: where its module has output classes, they say."""
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
    """The middle of frames that are larger only because sizes were rounded up for the model."""
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
    """Samples a second of a pipeline's sound, which its parts know.

    Raises:
        BackendError: None of them says.
    """
    vocoder = getattr(getattr(pipeline, "vocoder", None), "config", None)
    audio_vae = getattr(getattr(pipeline, "audio_vae", None), "config", None)
    for holder, key in (
        (pipeline, "audio_sample_rate"),
        (vocoder, "output_sampling_rate"),
        (audio_vae, "sample_rate"),
    ):
        rate = getattr(holder, key, None)
        if isinstance(rate, int) and rate > 0:
            return rate
    raise BackendError(
        f"{name}: no part of the pipeline says its sound's rate; set backend.sample_rate."
    )


def _fields(output: Any) -> dict[str, Any]:
    """An output by its names: of a mapping, a plain class, or a tuple of frames and sound."""
    if isinstance(output, Mapping):
        return dict(output)
    if isinstance(output, tuple):
        return dict(zip((FRAMES[0], SOUND[0]), output, strict=False))
    return dict(getattr(output, "__dict__", {}))


def _first_of(fields: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((fields[name] for name in names if fields.get(name) is not None), None)


def _pixels(frames: Any, *, name: str) -> NDArray[np.uint8]:
    """(T, H, W, 3) of the first clip in a batch of arrays, tensors or lists of pictures."""
    first = frames[0]
    if isinstance(first, list | tuple):
        return np.stack([np.asarray(picture.convert("RGB")) for picture in first])
    array = _array(first)
    if array.ndim == 4 and array.shape[-1] != 3 and array.shape[1] == 3:
        array = array.transpose(0, 2, 3, 1)
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    pixels = np.empty(array.shape, np.uint8)
    for frame, rounded in zip(array, pixels, strict=True):  # one at a time stays in the cache
        if not np.isfinite(frame).all():
            raise BackendError(f"{name}: the frames are not finite numbers; try dtype float32.")
        scaled = frame.clip(0, 1)
        scaled *= 255
        scaled += 0.5
        rounded[...] = scaled
    return pixels


def _sound(audio: Any, *, name: str) -> NDArray[np.float32]:
    """(channels, N) of the first clip in a batch, or of a bare sound."""
    array = _array(audio[0] if isinstance(audio, list | tuple) else audio)
    if array.ndim == 3:
        array = array[0]
    array = np.atleast_2d(array).astype(np.float32)
    if not np.isfinite(array).all():
        raise BackendError(f"{name}: the sound is not finite numbers; try dtype float32.")
    return array


def _array(values: Any) -> NDArray[Any]:
    if hasattr(values, "detach"):  # a torch tensor, of a type that numpy may not have
        values = values.detach().float().cpu().numpy()
    return np.asarray(values)
