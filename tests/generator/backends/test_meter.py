"""What a clip cost: seconds, memory, energy, price; and a digest of what it showed."""

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from small_clips import ball_clip, ball_frames, entrant_of, small_track

from generator.backends import meter as energy
from generator.backends.meter import Meter
from generator.clips import ClipRequest, Provenance
from generator.engine.post_processing import render

OLD = {"backend": "diffusers", "seed": 1, "created_at": "2026-01-01T00:00:00Z"}


def domain(folder: Path, name: str, energy_uj: int, wraps_uj: int = 1_000_000) -> Path:
    (folder / name).mkdir(parents=True)
    (folder / name / "energy_uj").write_text(f"{energy_uj}\n", encoding="ascii")
    (folder / name / "max_energy_range_uj").write_text(f"{wraps_uj}\n", encoding="ascii")
    return folder / name / "energy_uj"


def test_processors_count_and_their_parts_do_not_count_again(tmp_path: Path) -> None:
    first = domain(tmp_path, "intel-rapl:0", 500_000)
    second = domain(tmp_path, "intel-rapl:1", 900_000)
    domain(tmp_path, "intel-rapl:0:0", 7)
    counter = energy.rapl(tmp_path)
    assert counter is not None
    before = counter.read()
    first.write_text("750000", encoding="ascii")
    second.write_text("100000", encoding="ascii")  # went once round its million
    assert before == (500_000, 900_000)
    assert counter.joules(before, counter.read()) == pytest.approx(0.45)


def test_counters_that_are_not_there_or_may_not_be_read_tell_nothing(tmp_path: Path) -> None:
    assert energy.rapl(tmp_path) is None
    domain(tmp_path, "intel-rapl:0", 1).unlink()
    (tmp_path / "intel-rapl:0" / "energy_uj").mkdir()  # unreadable for root as well
    assert energy.rapl(tmp_path) is None


class NoPower(Exception):
    """NVML's own error."""


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """Two GPUs, of which NVML says how many millijoules they took."""
    taken = {"GPU-b": 1000, "GPU-c": 5000}

    def total(handle: str) -> int:
        if taken[handle] < 0:
            raise NoPower
        return taken[handle]

    fake = SimpleNamespace(
        NVMLError=NoPower,
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByUUID=lambda uuid: uuid,
        nvmlDeviceGetTotalEnergyConsumption=total,
    )
    monkeypatch.setitem(sys.modules, "pynvml", fake)  # type: ignore[arg-type]
    monkeypatch.setattr(
        "torch.cuda.get_device_properties", lambda gpu: SimpleNamespace(uuid="abc"[gpu])
    )
    energy._nvml.cache_clear()
    yield taken
    energy._nvml.cache_clear()


def test_gpus_count_by_their_own_ids(nvml: dict[str, int]) -> None:
    counter = energy.energy_counter((1, 2))
    assert counter is not None
    before = counter.read()
    nvml["GPU-b"] += 250
    nvml["GPU-c"] += 500
    assert counter.joules(before, counter.read()) == pytest.approx(0.75)


def test_a_gpu_that_does_not_count_tells_nothing(nvml: dict[str, int]) -> None:
    nvml["GPU-b"] = -1
    assert energy.energy_counter((1,)) is None


def test_gpus_without_nvml_tell_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)  # type: ignore[arg-type]
    energy._nvml.cache_clear()
    assert energy.energy_counter((0,)) is None
    energy._nvml.cache_clear()


def test_a_meter_on_the_cpu_reads_the_processors_energy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = domain(tmp_path, "intel-rapl:0", 0, 10**9)
    monkeypatch.setattr(energy, "POWERCAP", tmp_path)
    with Meter(on_gpu=False) as meter:
        file.write_text("2500000", encoding="ascii")
    assert meter.energy_joules == pytest.approx(2.5)
    assert meter.gpu_seconds is None
    assert meter.seconds > 0
    assert meter.peak_memory_bytes > 0


def test_a_meter_on_gpus_counts_the_seconds_of_each(
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


def test_stored_provenance_still_reads() -> None:
    old = Provenance.model_validate(OLD)
    assert (old.gpu_seconds, old.energy_joules, old.cost_usd, old.steps) == (None,) * 4
    assert (old.guidance, old.frames_sha256, old.device, old.dtype, old.options) == (
        *(None,) * 4,
        {},
    )


@pytest.mark.parametrize(("price", "expected"), [(None, None), (0.0, 0.0), (6.0, 0.1)])
def test_a_clip_costs_its_share_of_the_price_a_minute(
    price: float | None, expected: float | None
) -> None:
    entrant = entrant_of("x").model_copy(update={"price_usd_per_minute": price})
    request = ClipRequest(entrant, small_track(audio=True), "p1", "a ball", 1)  # one second
    told = render(ball_clip(), request, Provenance.model_validate(OLD)).provenance
    assert told.cost_usd == (None if expected is None else pytest.approx(expected))


def test_the_digest_is_of_the_raw_frames() -> None:
    frames = ball_frames()
    request = ClipRequest(entrant_of("x"), small_track(audio=True), "p1", "a ball", 1)
    old = Provenance.model_validate(OLD)
    told = render(ball_clip(frames=frames), request, old).provenance
    assert told.frames_sha256 == hashlib.sha256(frames.tobytes()).hexdigest()
    changed = frames.copy()
    changed[-1, -1, -1, -1] ^= 1
    other = render(ball_clip(frames=np.asfortranarray(changed)), request, old).provenance
    assert other.frames_sha256 == hashlib.sha256(changed.tobytes()).hexdigest()
