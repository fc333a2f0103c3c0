"""What is tried when memory runs out, in which order, and what is told of it."""

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


class Hungry:
    """Runs out of memory until it was called so many times."""

    def __init__(self, times: int, error: Callable[[], BaseException] = MemoryError) -> None:
        self.left = times
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
        if self.left > 0:
            self.left -= 1
            raise self.error()
        return "clip"


def on_gpu(pipeline: Hungry, **changes: object) -> OomFallback:
    return OomFallback(pipeline, name="Hungry", device="mps", **changes)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _no_gpu_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "generator.backends.diffusers.oom_fallback.empty_cache", lambda device: None
    )


def test_nothing_is_changed_while_memory_lasts() -> None:
    pipeline = Hungry(0)
    assert on_gpu(pipeline).run(pipeline) == ("clip", ())
    assert pipeline.steps == []


@pytest.mark.parametrize(
    ("times", "told", "steps"),
    [
        (1, (CACHE_EMPTIED,), 0),
        (2, (CACHE_EMPTIED, VAE_TILING), 1),
        (3, (CACHE_EMPTIED, VAE_TILING, MODEL_OFFLOAD), 2),
        (4, (CACHE_EMPTIED, VAE_TILING, MODEL_OFFLOAD, SEQUENTIAL_OFFLOAD), 3),
    ],
)
def test_each_failure_takes_one_step_down(times: int, told: tuple[str, ...], steps: int) -> None:
    pipeline = Hungry(times)
    assert on_gpu(pipeline).run(pipeline) == ("clip", told)
    taken = ["tiling", "model offload to mps", "sequential offload to mps"]
    assert pipeline.steps == taken[:steps]
    assert pipeline.calls == times + 1


def test_below_the_lowest_step_is_one_sentence_that_names_them_all() -> None:
    pipeline = Hungry(9, lambda: RuntimeError(CPU_MESSAGE))
    with pytest.raises(BackendError) as caught:
        on_gpu(pipeline).run(pipeline)
    message = str(caught.value)
    assert "emptied the cache, VAE tiling, model offload, sequential offload" in message
    assert "can't allocate memory" in message
    assert "\n" not in message
    assert pipeline.calls == 5


def test_a_step_stays_and_later_clips_tell_it_but_an_emptied_cache_is_one_clips() -> None:
    pipeline = Hungry(2)
    ladder = on_gpu(pipeline)
    ladder.run(pipeline)
    assert ladder.run(pipeline) == ("clip", (VAE_TILING,))
    pipeline.left = 2
    assert ladder.run(pipeline) == ("clip", (CACHE_EMPTIED, VAE_TILING, MODEL_OFFLOAD))


def test_the_cpu_has_nothing_to_offload_to() -> None:
    pipeline = Hungry(9)
    with pytest.raises(BackendError, match=r"on cpu, also after: emptied the cache, VAE tiling \("):
        OomFallback(pipeline, name="Hungry", device="cpu").run(pipeline)
    assert pipeline.steps == ["tiling"]


@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        ({"tiled": True}, ["model offload to mps", "sequential offload to mps"]),
        ({"offload": "model"}, ["tiling", "sequential offload to mps"]),
        ({"offload": "sequential"}, ["tiling"]),
        ({"movable": False}, ["tiling"]),
    ],
)
def test_steps_that_the_spec_took_already_are_left_out(
    changes: dict[str, object], steps: list[str]
) -> None:
    pipeline = Hungry(9)
    with pytest.raises(BackendError):
        on_gpu(pipeline, **changes).run(pipeline)
    assert pipeline.steps == steps


def test_a_step_that_the_pipeline_does_not_have_is_passed_over() -> None:
    pipeline = Hungry(2)
    del pipeline.vae
    assert on_gpu(pipeline).run(pipeline) == ("clip", (CACHE_EMPTIED, MODEL_OFFLOAD))


def test_any_other_error_is_raised_at_once() -> None:
    pipeline = Hungry(1, lambda: RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes"):
        on_gpu(pipeline).run(pipeline)
    assert pipeline.calls == 1


@pytest.mark.parametrize(
    "message", [CPU_MESSAGE, "MPS backend out of memory (MPS allocated: 9 GB)"]
)
def test_allocators_without_an_error_type_are_known_by_what_they_say(message: str) -> None:
    pipeline = Hungry(1, lambda: RuntimeError(message))
    assert on_gpu(pipeline).run(pipeline) == ("clip", (CACHE_EMPTIED,))


def test_torchs_own_error_is_known() -> None:
    import torch

    pipeline = Hungry(1, lambda: torch.OutOfMemoryError("CUDA"))
    assert on_gpu(pipeline).run(pipeline) == ("clip", (CACHE_EMPTIED,))


class Tensor:
    """Stands for what a failed call held."""


def test_what_a_failed_call_held_is_free_before_the_next_try() -> None:
    held: list[weakref.ref[Tensor]] = []

    def call() -> str:
        if held:
            return "freed" if held[0]() is None else "still held"
        tensor = Tensor()
        held.append(weakref.ref(tensor))
        raise MemoryError

    gc.disable()
    try:
        result, _ = OomFallback(object(), name="Hungry", device="cpu").run(call)
    finally:
        gc.enable()
    assert result == "freed"


def test_other_memory_is_let_go_of_first() -> None:
    forgotten: list[bool] = []
    pipeline = Hungry(1)
    on_gpu(pipeline, forget=lambda: forgotten.append(True)).run(pipeline)
    assert forgotten == [True]
