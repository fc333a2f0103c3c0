"""Cache prompt embeddings: one prompt is used for several seeds and tracks."""

import inspect
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

# CPU memory. The largest known embeddings, those of LTX-2, take 0.4 GB per prompt.
MAX_BYTES = 2**30
_PLAIN = (str, int, float, bool, type(None))


@dataclass(frozen=True, eq=False)
class _CachedTensor:
    """A tensor in CPU memory and the device to restore it to."""

    tensor: Any
    device: Any


class PromptCache:
    """Least-recently-used cache of `encode_prompt` results, keyed by its arguments.

    The signature and result differ between pipelines, so neither is interpreted. Calls are not
    cached if an argument is not a plain value (or a container of them), or if the result contains
    anything but tensors and plain values.
    """

    def __init__(self, encode: Callable[..., Any], *, max_bytes: int = MAX_BYTES) -> None:
        self._encode = encode
        self._signature = inspect.signature(encode)
        self._max_bytes = max_bytes
        self._entries: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._bytes = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the result of `encode_prompt`, from the cache if possible."""
        try:
            bound = self._signature.bind(*args, **kwargs)
            bound.apply_defaults()
            key = _freeze(bound.arguments)
        except TypeError:
            return self._encode(*args, **kwargs)
        if key in self._entries:
            self._entries.move_to_end(key)
            return _restore(self._entries[key][0])
        result = self._encode(*args, **kwargs)
        with suppress(TypeError):
            self._add(key, _store(result))
        return result

    def clear(self) -> None:
        """Remove all entries."""
        self._entries.clear()
        self._bytes = 0

    def _add(self, key: Hashable, stored: Any) -> None:
        size = _size_bytes(stored)
        self._entries[key] = stored, size
        self._bytes += size
        while self._bytes > self._max_bytes:
            _, (_, freed) = self._entries.popitem(last=False)
            self._bytes -= freed


def cache_prompts(pipeline: Any) -> PromptCache | None:
    """Wrap the pipeline's `encode_prompt` in a cache; None if it has no such method."""
    encode = getattr(pipeline, "encode_prompt", None)
    if encode is None:
        return None
    pipeline.encode_prompt = cache = PromptCache(encode)
    return cache


def _freeze(value: Any) -> Hashable:
    """Return a hashable key that distinguishes types as well as values, or raise TypeError."""
    import torch

    if isinstance(value, dict):
        return "dict", tuple((key, _freeze(item)) for key, item in value.items())
    if isinstance(value, list | tuple):
        return type(value).__name__, tuple(_freeze(item) for item in value)
    if isinstance(value, (*_PLAIN, torch.device, torch.dtype)):
        return type(value).__name__, value
    raise TypeError  # a tensor, an image, a generator


def _store(value: Any) -> Any:
    """Return a copy on the CPU, so that in-place changes by the pipeline do not affect it."""
    import torch

    if isinstance(value, torch.Tensor):
        return _CachedTensor(value.detach().to("cpu", copy=True), value.device)
    if isinstance(value, _PLAIN):
        return value
    return _map_container(value, _store)


def _restore(value: Any) -> Any:
    if isinstance(value, _CachedTensor):
        return value.tensor.to(value.device, copy=True)
    if isinstance(value, _PLAIN):
        return value
    return _map_container(value, _restore)


def _map_container(value: Any, function: Callable[[Any], Any]) -> Any:
    """Apply a function to the items of a dict, list or tuple."""
    if type(value) is dict:
        return {key: function(item) for key, item in value.items()}
    if type(value) is list:
        return [function(item) for item in value]
    if type(value) is tuple:
        return tuple(function(item) for item in value)
    raise TypeError


def _size_bytes(stored: Any) -> int:
    """Total size of the stored tensors in bytes."""
    if isinstance(stored, _CachedTensor):
        return int(stored.tensor.nbytes)
    if isinstance(stored, dict):
        return sum(_size_bytes(item) for item in stored.values())
    return sum(_size_bytes(item) for item in stored) if isinstance(stored, list | tuple) else 0
