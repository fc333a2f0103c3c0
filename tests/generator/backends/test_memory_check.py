"""The memory that a model needs, computed from the headers of its files."""

import json
from pathlib import Path

import pytest
import tiny_pipelines
from small_clips import entrant_of

from generator.backends.diffusers import memory_check
from generator.backends.diffusers.options import read_options
from generator.backends.diffusers.weights import check_folder
from generator.errors import BackendError

GIB = memory_check.GIBIBYTE


def write(file: Path, shape: list[int], dtype: str = "F32") -> None:
    """Write a safetensors header without tensors, which must not be read."""
    file.parent.mkdir(parents=True, exist_ok=True)
    numbers = 1
    for length in shape:
        numbers *= length
    size = numbers * {"F32": 4, "BF16": 2, "I64": 8, "F8_E4M3": 1}[dtype]
    header = {"w": {"dtype": dtype, "shape": shape, "data_offsets": [0, size]}}
    head = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    file.write_bytes(len(head).to_bytes(8, "little") + head)


INDEX = {"_class_name": "X", "vae": ["diffusers", "V"], "transformer": ["diffusers", "T"]}


def test_only_floats_are_converted_to_the_requested_dtype(tmp_path: Path) -> None:
    write(tmp_path / "vae" / "model.safetensors", [10, 10])
    write(tmp_path / "transformer" / "model-00001-of-00002.safetensors", [1000], "BF16")
    write(tmp_path / "transformer" / "model-00002-of-00002.safetensors", [7], "I64")
    sizes = memory_check.component_bytes(tmp_path, INDEX, dtype="float32", variant=None)
    assert sizes == {"vae": 400, "transformer": 4056}
    halved = memory_check.component_bytes(tmp_path, INDEX, dtype="bfloat16", variant=None)
    assert halved == {"vae": 200, "transformer": 2056}


def test_components_missing_from_the_index_are_not_counted(tmp_path: Path) -> None:
    write(tmp_path / "everything.safetensors", [10**9])
    write(tmp_path / "vae" / "model.safetensors", [10])
    write(tmp_path / "upscaler" / "model.safetensors", [10**9])
    index = INDEX | {"upscaler": [None, None]}
    assert memory_check.component_bytes(tmp_path, index, dtype="float32", variant=None) == {
        "vae": 40
    }


def test_only_one_variant_is_counted(tmp_path: Path) -> None:
    write(tmp_path / "vae" / "model.safetensors", [10])
    write(tmp_path / "vae" / "model.fp16.safetensors", [20])
    write(tmp_path / "transformer" / "model.safetensors", [30])
    write(tmp_path / "transformer" / "model.fp16-00001-of-00001.safetensors", [40])

    def sizes(variant: str | None) -> dict[str, int]:
        return memory_check.component_bytes(tmp_path, INDEX, dtype="bfloat16", variant=variant)

    assert sizes(None) == {"vae": 20, "transformer": 60}
    assert sizes("fp16") == {"vae": 40, "transformer": 80}
    assert sizes("ema") == {"vae": 20, "transformer": 60}


def test_the_size_of_a_saved_pipeline_equals_that_of_its_parameters(tmp_path: Path) -> None:
    pipeline = tiny_pipelines.wan()
    pipeline.save_pretrained(tmp_path)
    index = check_folder("X", tmp_path)
    sizes = memory_check.component_bytes(tmp_path, index, dtype="float32", variant=None)
    for name in ("vae", "transformer"):
        expected = sum(weight.nbytes for weight in getattr(pipeline, name).parameters())
        assert sizes[name] == expected


@pytest.fixture
def two_gib_model(tmp_path: Path) -> Path:
    write(tmp_path / "vae" / "model.safetensors", [GIB // 8])
    write(tmp_path / "transformer" / "model.safetensors", [GIB // 8 * 3])
    return tmp_path


@pytest.mark.parametrize(
    ("options", "gpu", "machine", "message"),
    [
        ({}, 3, 0, None),  # the whole model is on the GPU
        ({}, 1, 9, r'2\.0 GiB as float32 and 1\.0 GiB are free on cuda; set backend\.offload = "m'),
        ({"offload": "model"}, 2, 3, None),  # 1.5 GiB at a time
        ({"offload": "model"}, 1, 3, r'1\.5 GiB .* set backend\.offload = "sequential"'),
        ({"offload": "model"}, 2, 1, "free in the machine's memory; free some"),
        ({"offload": "sequential"}, 0, 3, None),
        ({"offload": "sequential"}, 0, 1, "free in the machine's memory"),
        ({"dtype": "bfloat16"}, 1, 0, None),
        ({"device": "cpu"}, 9, 1, 'dtype = "bfloat16", or use a larger machine'),
        ({"device": "cpu"}, 0, 2, None),
        ({"device_map": "balanced"}, 0, 0, None),  # accelerate divides it
    ],
)
def test_too_little_memory_is_reported_before_loading(
    two_gib_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, object],
    gpu: int,
    machine: int,
    message: str | None,
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr(memory_check, "available_gpu_memory", lambda device: gpu * GIB)
    monkeypatch.setattr(memory_check, "available_memory", lambda: machine * GIB)
    read = read_options(entrant_of("diffusers", model=str(two_gib_model), **options))
    if message is None:
        memory_check.check_model_fits("X", two_gib_model, INDEX, read)
        return
    with pytest.raises(BackendError, match=message):
        memory_check.check_model_fits("X", two_gib_model, INDEX, read)


def test_the_number_of_processes_is_limited_by_memory(
    two_gib_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = read_options(entrant_of("diffusers", model=str(two_gib_model), device="cpu"))
    for free, processes in ((0, 1), (3, 1), (5, 2), (8, 4)):
        monkeypatch.setattr(memory_check, "available_memory", lambda free=free: free * GIB)
        assert memory_check.max_processes(two_gib_model, INDEX, read) == processes
