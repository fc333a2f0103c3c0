"""Prompts encoded once: one text goes to several seeds and tracks, and its encoder is large."""

import inspect
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

# In the machine's memory. The largest encodings known, LTX-2's, are 0.4 GB a prompt.
MAX_BYTES = 2**30
_PLAIN = (str, int, float, bool, type(None))


@dataclass(frozen=True, eq=False)
class _CachedTensor:
    """A tensor in the machine's memory, and where it came from."""

    tensor: Any
    device: Any


class PromptCache:
    """Remembers what `encode_prompt` returned for its arguments, the last used longest.

    Pipelines differ in what it takes and returns, so nothing is known of either: arguments that
    are not plain values, or results that hold anything but tensors and plain values, pass through.
    """

    def __init__(self, encode: Callable[..., Any], *, max_bytes: int = MAX_BYTES) -> None:
        self._encode = encode
        self._signature = inspect.signature(encode)
        self._most_bytes = max_bytes
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._bytes = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What `encode_prompt` returns, from memory where it was asked the same before."""
        try:
            bound = self._signature.bind(*args, **kwargs)
            bound.apply_defaults()
            key = _freeze(bound.arguments)
        except TypeError:
            return self._encode(*args, **kwargs)
        if key in self._kept:
            self._kept.move_to_end(key)
            return _restore(self._kept[key][0])
        result = self._encode(*args, **kwargs)
        with suppress(TypeError):
            self._keep(key, _store(result))
        return result

    def forget(self) -> None:
        """Let go of everything."""
        self._kept.clear()
        self._bytes = 0

    def _keep(self, key: Hashable, stored: Any) -> None:
        size = _size(stored)
        self._kept[key] = stored, size
        self._bytes += size
        while self._bytes > self._most_bytes:
            _, (_, freed) = self._kept.popitem(last=False)
            self._bytes -= freed


def cache_prompts(pipeline: Any) -> PromptCache | None:
    """Have the pipeline encode each prompt once; None where it has no method for that."""
    encode = getattr(pipeline, "encode_prompt", None)
    if encode is None:
        return None
    pipeline.encode_prompt = cache = PromptCache(encode)
    return cache


def _freeze(value: Any) -> Hashable:
    """A key that equals another only where type and value do; a TypeError where there is none."""
    import torch

    if isinstance(value, dict):
        return "dict", tuple((key, _freeze(item)) for key, item in value.items())
    if isinstance(value, list | tuple):
        return type(value).__name__, tuple(_freeze(item) for item in value)
    if isinstance(value, (*_PLAIN, torch.device, torch.dtype)):
        return type(value).__name__, value
    raise TypeError  # a tensor, an image, a generator: equal by identity at best


def _store(value: Any) -> Any:
    """A copy apart from the pipeline's, so that what it does to its own changes nothing here."""
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


def _map_container(value: Any, each: Callable[[Any], Any]) -> Any:
    """The same container of what `each` makes of its items."""
    if type(value) is dict:
        return {key: each(item) for key, item in value.items()}
    if type(value) is list:
        return [each(item) for item in value]
    if type(value) is tuple:
        return tuple(each(item) for item in value)
    raise TypeError


def _size(stored: Any) -> int:
    """Bytes of the tensors in what is kept."""
    if isinstance(stored, _CachedTensor):
        return int(stored.tensor.nbytes)
    if isinstance(stored, dict):
        return sum(_size(item) for item in stored.values())
    return sum(_size(item) for item in stored) if isinstance(stored, list | tuple) else 0
