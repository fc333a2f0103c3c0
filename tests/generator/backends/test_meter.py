"""Time, memory, energy and price of a clip, and the hash of its frames."""

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from small_clips import ball_clip, ball_frames, entrant_of, small_track

from generator.backends import meter as meters
from generator.backends.meter import Meter
from generator.clips import ClipRequest, Provenance
from generator.engine.post_processing import render

OLD = {"backend": "diffusers", "seed": 1, "created_at": "2026-01-01T00:00:00Z"}


def domain(folder: Path, name: str, energy_uj: int, wraps_uj: int = 1_000_000) -> Path:
    (folder / name).mkdir(parents=True)
    (folder / name / "energy_uj").write_text(f"{energy_uj}\n", encoding="ascii")
    (folder / name / "max_energy_range_uj").write_text(f"{wraps_uj}\n", encoding="ascii")
    return folder / name / "energy_uj"


def test_rapl_sums_processors_but_not_their_parts(tmp_path: Path) -> None:
    first = domain(tmp_path, "intel-rapl:0", 500_000)
    second = domain(tmp_path, "intel-rapl:1", 900_000)
    domain(tmp_path, "intel-rapl:0:0", 7)
    counter = meters.rapl(tmp_path)
    assert counter is not None
    before = counter.read()
    first.write_text("750000", encoding="ascii")
    second.write_text("100000", encoding="ascii")  # wrapped once at its million
    assert before == (500_000, 900_000)
    assert counter.joules(before, counter.read()) == pytest.approx(0.45)


def test_missing_or_unreadable_counters_give_none(tmp_path: Path) -> None:
    assert meters.rapl(tmp_path) is None
    domain(tmp_path, "intel-rapl:0", 1).unlink()
    (tmp_path / "intel-rapl:0" / "energy_uj").mkdir()  # unreadable for root as well
    assert meters.rapl(tmp_path) is None


class FakeNvmlError(Exception):
    """Stands for NVML's error."""


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """A fake NVML with two GPUs; returns their counters in millijoules."""
    counters = {"GPU-b": 1000, "GPU-c": 5000}

    def total(handle: str) -> int:
        if counters[handle] < 0:
            raise FakeNvmlError
        return counters[handle]

    fake = SimpleNamespace(
        NVMLError=FakeNvmlError,
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByUUID=lambda uuid: uuid,
        nvmlDeviceGetTotalEnergyConsumption=total,
    )
    monkeypatch.setitem(sys.modules, "pynvml", fake)  # type: ignore[arg-type]
    monkeypatch.setattr(
        "torch.cuda.get_device_properties", lambda gpu: SimpleNamespace(uuid="abc"[gpu])
    )
    meters._nvml.cache_clear()
    yield counters
    meters._nvml.cache_clear()


def test_gpus_are_looked_up_by_uuid(nvml: dict[str, int]) -> None:
    counter = meters.energy_counter((1, 2))
    assert counter is not None
    before = counter.read()
    nvml["GPU-b"] += 250
    nvml["GPU-c"] += 500
    assert counter.joules(before, counter.read()) == pytest.approx(0.75)


def test_a_gpu_without_a_counter_gives_none(nvml: dict[str, int]) -> None:
    nvml["GPU-b"] = -1
    assert meters.energy_counter((1,)) is None


def test_gpus_without_nvml_give_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)  # type: ignore[arg-type]
    meters._nvml.cache_clear()
    assert meters.energy_counter((0,)) is None
    meters._nvml.cache_clear()


def test_a_meter_on_the_cpu_measures_the_processors_energy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = domain(tmp_path, "intel-rapl:0", 0, 10**9)
    monkeypatch.setattr(meters, "POWERCAP", tmp_path)
    with Meter(on_gpu=False) as meter:
        file.write_text("2500000", encoding="ascii")
    assert meter.energy_joules == pytest.approx(2.5)
    assert meter.gpu_seconds is None
    assert meter.seconds > 0
    assert meter.peak_memory_bytes > 0


def test_a_meter_on_gpus_sums_over_the_gpus(
    nvml: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("reset_peak_memory_stats", "synchronize"):
        monkeypatch.setattr(f"torch.cuda.{name}", lambda gpu: None)
    monkeypatch.setattr("torch.cuda.max_memory_allocated", lambda gpu: 10 * gpu)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda gpu: "H100")
    with Meter(on_gpu=True, gpus=(1, 2)) as meter:
        nvml["GPU-c"] += 3000
    assert meter.gpu_seconds == 2 * meter.seconds
    assert meter.energy_joules == pytest.approx(3.0)
    assert meter.peak_memory_bytes == 30
    assert meter.hardware == "2 x H100"


def test_provenance_stored_by_an_older_version_is_readable() -> None:
    old = Provenance.model_validate(OLD)
    assert (old.gpu_seconds, old.energy_joules, old.cost_usd, old.steps) == (None,) * 4
    assert (old.guidance, old.frames_sha256, old.device, old.dtype, old.options) == (
        *(None,) * 4,
        {},
    )


@pytest.mark.parametrize(("price", "expected"), [(None, None), (0.0, 0.0), (6.0, 0.1)])
def test_the_cost_of_a_clip_follows_the_price_per_minute(
    price: float | None, expected: float | None
) -> None:
    entrant = entrant_of("x").model_copy(update={"price_usd_per_minute": price})
    request = ClipRequest(entrant, small_track(audio=True), "p1", "a ball", 1)  # one second
    provenance = render(ball_clip(), request, Provenance.model_validate(OLD)).provenance
    assert provenance.cost_usd == (None if expected is None else pytest.approx(expected))


def test_frames_sha256_is_the_hash_of_the_raw_frames() -> None:
    frames = ball_frames()
    request = ClipRequest(entrant_of("x"), small_track(audio=True), "p1", "a ball", 1)
    old = Provenance.model_validate(OLD)
    provenance = render(ball_clip(frames=frames), request, old).provenance
    assert provenance.frames_sha256 == hashlib.sha256(frames.tobytes()).hexdigest()
    changed = frames.copy()
    changed[-1, -1, -1, -1] ^= 1
    other = render(ball_clip(frames=np.asfortranarray(changed)), request, old).provenance
    assert other.frames_sha256 == hashlib.sha256(changed.tobytes()).hexdigest()
