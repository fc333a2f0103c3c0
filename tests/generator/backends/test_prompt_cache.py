"""A prompt is encoded once, and the clips do not change by a single bit."""

from pathlib import Path
from typing import Any

import pytest
import tiny_pipelines
import torch
from small_clips import entrant_of, small_track

from generator.backends.diffusers.backend import DiffusersBackend
from generator.backends.diffusers.prompt_cache import PromptCache
from generator.clips import ClipRequest

SEEDS = (1, 2)


class Encoder:
    """A fake `encode_prompt` that counts its calls and returns given results in turn."""

    def __init__(self, *results: Any) -> None:
        self.results = list(results)
        self.calls = 0

    def __call__(self, prompt: Any, negative_prompt: Any = None, scale: Any = 1.0) -> Any:
        self.calls += 1
        return self.results[(self.calls - 1) % len(self.results)]


def frames_of(folder: Path, *, cached: bool, audio: bool) -> tuple[list[str], list[int]]:
    """Return hashes of one clip per seed, and how often each text encoder ran."""
    import hashlib

    entrant = entrant_of(
        "diffusers", call={"num_inference_steps": 2, "guidance_scale": 3.0}, model=str(folder)
    )
    track = small_track(audio=audio, frames=5)
    calls: dict[str, int] = {}
    digests = []
    with DiffusersBackend(entrant) as backend:
        pipeline = backend._pipeline
        if not cached:
            del pipeline.encode_prompt  # remove the wrapper, which hides the class's method
        for name in ("text_encoder", "text_encoder_2"):
            part = getattr(pipeline, name, None)
            if part is not None:
                calls[name] = 0

                def count(*_: Any, name: str = name) -> None:
                    calls[name] += 1

                part.register_forward_hook(count)
        for seed in SEEDS:
            raw, _ = backend.generate(ClipRequest(entrant, track, "p1", "a horse", seed))
            digests.append(hashlib.sha256(raw.frames.data).hexdigest())
            if raw.audio is not None:
                digests.append(hashlib.sha256(raw.audio.data).hexdigest())
    return digests, list(calls.values())


@pytest.mark.parametrize("family", ["wan", "cogvideox", "hunyuan", "ltx2"])
def test_encoders_run_once_for_two_seeds_and_the_clips_are_identical(
    tmp_path: Path, family: str
) -> None:
    folder = tiny_pipelines.save(getattr(tiny_pipelines, family), tmp_path)
    with_cache, cached_calls = frames_of(folder, cached=True, audio=family == "ltx2")
    without, uncached_calls = frames_of(folder, cached=False, audio=family == "ltx2")
    assert with_cache == without
    assert all(cached_calls)
    assert [2 * calls for calls in cached_calls] == uncached_calls
    assert len(set(with_cache)) == len(with_cache)


def test_different_arguments_are_encoded_separately() -> None:
    encoder = Encoder(torch.zeros(2))
    cache = PromptCache(encoder)
    for arguments in (("a",), ("b",), ("a", "b"), (["a"],), ("a", None, 2.0), ("a", None, True)):
        cache(*arguments)
        cache(*arguments)
    assert encoder.calls == 6
    cache("a", scale=1.0)  # defaults are filled in before the lookup
    cache(prompt="a", negative_prompt=None)
    assert encoder.calls == 6


def test_in_place_changes_do_not_affect_the_cache() -> None:
    cache = PromptCache(Encoder((torch.ones(3), [None, {"mask": torch.ones(2)}], "words")))
    first = cache("a")
    first[0].zero_()
    first[1][1]["mask"].zero_()
    second = cache("a")
    assert second[0].tolist() == [1, 1, 1]
    assert second[1][1]["mask"].tolist() == [1, 1]
    assert second[2] == "words"
    second[0].zero_()
    assert cache("a")[0].tolist() == [1, 1, 1]


def test_strides_are_kept_because_they_change_the_order_of_sums() -> None:
    transposed = torch.arange(6.0).reshape(2, 3).T
    cache = PromptCache(Encoder(transposed))
    cache("a")
    assert cache("a").stride() == transposed.stride()


@pytest.mark.parametrize("argument", [torch.zeros(1), object(), [torch.zeros(1)]])
def test_calls_with_other_arguments_are_not_cached(argument: object) -> None:
    encoder = Encoder("x")
    cache = PromptCache(encoder)
    cache(argument)
    cache(argument)
    assert encoder.calls == 2


def test_results_with_unknown_objects_are_not_cached() -> None:
    result = object()
    encoder = Encoder((torch.zeros(1), result))
    cache = PromptCache(encoder)
    assert cache("a")[1] is result
    assert cache("a")[1] is result
    assert encoder.calls == 2


def test_the_least_recently_used_entry_is_evicted() -> None:
    encoder = Encoder(torch.zeros(25))  # 100 bytes
    cache = PromptCache(encoder, max_bytes=250)
    for prompt in ("a", "b", "a", "c", "a", "b"):
        cache(prompt)
    assert encoder.calls == 4  # a, b, c, and b again, which c evicted
    cache.clear()
    cache("a")
    assert encoder.calls == 5


def test_a_result_larger_than_the_cache_is_not_kept() -> None:
    encoder = Encoder(torch.zeros(100))
    cache = PromptCache(encoder, max_bytes=250)
    cache("a")
    cache("a")
    assert encoder.calls == 2
