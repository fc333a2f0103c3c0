"""The steps tried when memory runs out, their order, and how they are reported."""

import gc
import weakref
from collections.abc import Callable

import pytest

from generator.backends.diffusers.oom_fallback import (
    CACHE_EMPTIED,
    MODEL_OFFLOAD,
    SEQUENTIAL_OFFLOAD,
    VAE_TILING,
    OomFallback,
)
from generator.errors import BackendError

CPU_MESSAGE = "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.\nstack"


class Vae:
    def __init__(self, steps: list[str]) -> None:
        self.steps = steps

    def enable_tiling(self) -> None:
        self.steps.append("tiling")


class HungryPipeline:
    """A pipeline that runs out of memory on its first calls."""

    def __init__(self, failures: int, error: Callable[[], BaseException] = MemoryError) -> None:
        self.failures = failures
        self.error = error
        self.calls = 0
        self.steps: list[str] = []
        self.vae = Vae(self.steps)

    def enable_model_cpu_offload(self, device: str) -> None:
        self.steps.append(f"model offload to {device}")

    def enable_sequential_cpu_offload(self, device: str) -> None:
        self.steps.append(f"sequential offload to {device}")

    def __call__(self) -> str:
        self.calls += 1
        if self.failures > 0:
            self.failures -= 1
            raise self.error()
        return "clip"


def on_gpu(pipeline: HungryPipeline, **changes: object) -> OomFallback:
    return OomFallback(pipeline, name="Hungry", device="mps", **changes)  # type: ignore[arg-type]


@pytest.fixture(autouse=True, scope="module")
def _quick_collections() -> None:
    """Each fallback collects garbage: not among the objects of PyTorch, which takes a second."""
    import torch  # noqa: F401  (before, so that its objects are left out)

    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _no_gpu_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "generator.backends.diffusers.oom_fallback.empty_cache", lambda device: None
    )


def test_nothing_changes_without_a_failure() -> None:
    pipeline = HungryPipeline(0)
    assert on_gpu(pipeline).run(pipeline) == ("clip", ())
    assert pipeline.steps == []


@pytest.mark.parametrize(
    ("failures", "reported", "steps"),
    [
        (1, (CACHE_EMPTIED,), 0),
        (2, (CACHE_EMPTIED, VAE_TILING), 1),
        (3, (CACHE_EMPTIED, VAE_TILING, MODEL_OFFLOAD), 2),
        (4, (CACHE_EMPTIED, VAE_TILING, MODEL_OFFLOAD, SEQUENTIAL_OFFLOAD), 3),
    ],
)
def test_each_failure_applies_one_more_step(
    failures: int, reported: tuple[str, ...], steps: int
) -> None:
    pipeline = HungryPipeline(failures)
    assert on_gpu(pipeline).run(pipeline) == ("clip", reported)
    expected = ["tiling", "model offload to mps", "sequential offload to mps"]
    assert pipeline.steps == expected[:steps]
    assert pipeline.calls == failures + 1


def test_the_final_error_is_one_sentence_that_lists_all_steps() -> None:
    pipeline = HungryPipeline(9, lambda: RuntimeError(CPU_MESSAGE))
    with pytest.raises(BackendError) as caught:
        on_gpu(pipeline).run(pipeline)
    message = str(caught.value)
    assert "emptied the cache, VAE tiling, model offload, sequential offload" in message
    assert "can't allocate memory" in message
    assert "\n" not in message
    assert pipeline.calls == 5


def test_steps_stay_in_effect_and_are_reported_for_later_clips() -> None:
    pipeline = HungryPipeline(2)
    fallback = on_gpu(pipeline)
    fallback.run(pipeline)
    assert fallback.run(pipeline) == ("clip", (VAE_TILING,))
    pipeline.failures = 2
    assert fallback.run(pipeline) == ("clip", (CACHE_EMPTIED, VAE_TILING, MODEL_OFFLOAD))


def test_there_is_no_offloading_on_the_cpu() -> None:
    pipeline = HungryPipeline(9)
    with pytest.raises(BackendError, match=r"on cpu, even after: emptied the cache, VAE tiling \("):
        OomFallback(pipeline, name="Hungry", device="cpu").run(pipeline)
    assert pipeline.steps == ["tiling"]


@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        ({"tiled": True}, ["model offload to mps", "sequential offload to mps"]),
        ({"offload": "model"}, ["tiling", "sequential offload to mps"]),
        ({"offload": "sequential"}, ["tiling"]),
        ({"can_offload": False}, ["tiling"]),
    ],
)
def test_steps_that_the_spec_already_sets_are_skipped(
    changes: dict[str, object], steps: list[str]
) -> None:
    pipeline = HungryPipeline(9)
    with pytest.raises(BackendError):
        on_gpu(pipeline, **changes).run(pipeline)
    assert pipeline.steps == steps


def test_a_step_that_the_pipeline_does_not_support_is_skipped() -> None:
    pipeline = HungryPipeline(2)
    del pipeline.vae
    assert on_gpu(pipeline).run(pipeline) == ("clip", (CACHE_EMPTIED, MODEL_OFFLOAD))


def test_other_errors_are_raised_at_once() -> None:
    pipeline = HungryPipeline(1, lambda: RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes"):
        on_gpu(pipeline).run(pipeline)
    assert pipeline.calls == 1


@pytest.mark.parametrize(
    "message", [CPU_MESSAGE, "MPS backend out of memory (MPS allocated: 9 GB)"]
)
def test_out_of_memory_is_recognized_by_message(message: str) -> None:
    pipeline = HungryPipeline(1, lambda: RuntimeError(message))
    assert on_gpu(pipeline).run(pipeline) == ("clip", (CACHE_EMPTIED,))


def test_out_of_memory_is_recognized_by_torchs_error_type() -> None:
    import torch

    pipeline = HungryPipeline(1, lambda: torch.OutOfMemoryError("CUDA"))
    assert on_gpu(pipeline).run(pipeline) == ("clip", (CACHE_EMPTIED,))


class Tensor:
    """Stands for a tensor in the frame of a failed call."""


def test_memory_of_a_failed_call_is_freed_before_the_retry() -> None:
    references: list[weakref.ref[Tensor]] = []

    def call() -> str:
        if references:
            return "freed" if references[0]() is None else "still held"
        tensor = Tensor()
        references.append(weakref.ref(tensor))
        raise MemoryError

    gc.disable()
    try:
        result, _ = OomFallback(object(), name="Hungry", device="cpu").run(call)
    finally:
        gc.enable()
    assert result == "freed"


def test_caches_are_cleared_before_the_retry() -> None:
    cleared: list[bool] = []
    pipeline = HungryPipeline(1)
    on_gpu(pipeline, clear_cache=lambda: cleared.append(True)).run(pipeline)
    assert cleared == [True]
