"""A prompt is encoded once, and no bit of a clip changes by that."""

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
    """Counts its calls; returns what it is told to."""

    def __init__(self, *results: Any) -> None:
        self.results = list(results)
        self.calls = 0

    def __call__(self, prompt: Any, negative_prompt: Any = None, scale: Any = 1.0) -> Any:
        self.calls += 1
        return self.results[(self.calls - 1) % len(self.results)]


def frames_of(folder: Path, *, cached: bool, audio: bool) -> tuple[list[str], list[int]]:
    """Digests of a clip a seed, and how often each text encoder ran."""
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
            del pipeline.encode_prompt  # the wrapper; the class's own is behind it
        for name in ("text_encoder", "text_encoder_2"):
            part = getattr(pipeline, name, None)
            if part is not None:
                calls[name] = 0

                def count(*_: Any, name: str = name) -> None:
                    calls[name] += 1

                part.register_forward_hook(count)
        for seed in SEEDS:
            raw, _ = backend.generate(ClipRequest(entrant, track, "p1", "a ball", seed))
            digests.append(hashlib.sha256(raw.frames.data).hexdigest())
            if raw.audio is not None:
                digests.append(hashlib.sha256(raw.audio.data).hexdigest())
    return digests, list(calls.values())


@pytest.mark.parametrize("family", ["wan", "cogvideox", "hunyuan", "ltx2"])
def test_the_encoders_run_once_for_two_seeds_and_the_clips_are_the_same(
    tmp_path: Path, family: str
) -> None:
    folder = tiny_pipelines.save(getattr(tiny_pipelines, family), tmp_path)
    with_cache, once = frames_of(folder, cached=True, audio=family == "ltx2")
    without, each = frames_of(folder, cached=False, audio=family == "ltx2")
    assert with_cache == without
    assert all(once)
    assert [2 * calls for calls in once] == each
    assert len(set(with_cache)) == len(with_cache)


def test_another_argument_is_another_encoding() -> None:
    encoder = Encoder(torch.zeros(2))
    cache = PromptCache(encoder)
    for arguments in (("a",), ("b",), ("a", "b"), (["a"],), ("a", None, 2.0), ("a", None, True)):
        cache(*arguments)
        cache(*arguments)
    assert encoder.calls == 6
    cache("a", scale=1.0)  # what is left out is what stands by default
    cache(prompt="a", negative_prompt=None)
    assert encoder.calls == 6


def test_what_a_pipeline_does_to_its_embeddings_is_not_remembered() -> None:
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


def test_strides_come_back_for_they_decide_how_sums_are_taken() -> None:
    turned = torch.arange(6.0).reshape(2, 3).T
    cache = PromptCache(Encoder(turned))
    cache("a")
    assert cache("a").stride() == turned.stride()


@pytest.mark.parametrize("argument", [torch.zeros(1), object(), [torch.zeros(1)]])
def test_arguments_that_are_no_plain_values_pass_through(argument: object) -> None:
    encoder = Encoder("x")
    cache = PromptCache(encoder)
    cache(argument)
    cache(argument)
    assert encoder.calls == 2


def test_results_that_are_not_known_through_and_through_pass_through() -> None:
    result = object()
    encoder = Encoder((torch.zeros(1), result))
    cache = PromptCache(encoder)
    assert cache("a")[1] is result
    assert cache("a")[1] is result
    assert encoder.calls == 2


def test_the_longest_unused_goes_when_there_is_no_room() -> None:
    encoder = Encoder(torch.zeros(25))  # 100 bytes
    cache = PromptCache(encoder, max_bytes=250)
    for prompt in ("a", "b", "a", "c", "a", "b"):
        cache(prompt)
    assert encoder.calls == 4  # a, b, c, and b again, which was used longest ago when c came
    cache.forget()
    cache("a")
    assert encoder.calls == 5


def test_an_encoding_larger_than_all_room_is_not_kept() -> None:
    encoder = Encoder(torch.zeros(100))
    cache = PromptCache(encoder, max_bytes=250)
    cache("a")
    cache("a")
    assert encoder.calls == 2
