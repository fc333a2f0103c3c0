"""How much memory a model takes, told from its files' headers."""

import json
from pathlib import Path

import pytest
import tiny_pipelines
from small_clips import entrant_of

from generator.backends.diffusers import memory_check as room
from generator.backends.diffusers.options import read_options
from generator.backends.diffusers.weights import check_folder
from generator.errors import BackendError

GIB = room.GIBIBYTE


def write(file: Path, shape: list[int], dtype: str = "F32") -> None:
    """A safetensors header without its tensors: nobody may need to read them."""
    file.parent.mkdir(parents=True, exist_ok=True)
    numbers = 1
    for length in shape:
        numbers *= length
    size = numbers * {"F32": 4, "BF16": 2, "I64": 8, "F8_E4M3": 1}[dtype]
    header = {"w": {"dtype": dtype, "shape": shape, "data_offsets": [0, size]}}
    head = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    file.write_bytes(len(head).to_bytes(8, "little") + head)


INDEX = {"_class_name": "X", "vae": ["diffusers", "V"], "transformer": ["diffusers", "T"]}


def test_weights_count_as_the_asked_dtype_and_others_as_they_are(tmp_path: Path) -> None:
    write(tmp_path / "vae" / "model.safetensors", [10, 10])
    write(tmp_path / "transformer" / "model-00001-of-00002.safetensors", [1000], "BF16")
    write(tmp_path / "transformer" / "model-00002-of-00002.safetensors", [7], "I64")
    sizes = room.component_bytes(tmp_path, INDEX, dtype="float32", variant=None)
    assert sizes == {"vae": 400, "transformer": 4056}
    halved = room.component_bytes(tmp_path, INDEX, dtype="bfloat16", variant=None)
    assert halved == {"vae": 200, "transformer": 2056}


def test_what_the_index_does_not_load_does_not_count(tmp_path: Path) -> None:
    write(tmp_path / "everything.safetensors", [10**9])
    write(tmp_path / "vae" / "model.safetensors", [10])
    write(tmp_path / "upscaler" / "model.safetensors", [10**9])
    index = INDEX | {"upscaler": [None, None]}
    assert room.component_bytes(tmp_path, index, dtype="float32", variant=None) == {"vae": 40}


def test_one_of_two_variants_counts(tmp_path: Path) -> None:
    write(tmp_path / "vae" / "model.safetensors", [10])
    write(tmp_path / "vae" / "model.fp16.safetensors", [20])
    write(tmp_path / "transformer" / "model.safetensors", [30])
    write(tmp_path / "transformer" / "model.fp16-00001-of-00001.safetensors", [40])

    def counted(variant: str | None) -> dict[str, int]:
        return room.component_bytes(tmp_path, INDEX, dtype="bfloat16", variant=variant)

    assert counted(None) == {"vae": 20, "transformer": 60}
    assert counted("fp16") == {"vae": 40, "transformer": 80}
    assert counted("ema") == {"vae": 20, "transformer": 60}


def test_a_saved_pipeline_counts_what_it_holds_in_memory(tmp_path: Path) -> None:
    pipeline = tiny_pipelines.wan()
    pipeline.save_pretrained(tmp_path)
    index = check_folder("X", tmp_path)
    sizes = room.component_bytes(tmp_path, index, dtype="float32", variant=None)
    for name in ("vae", "transformer"):
        held = sum(weight.nbytes for weight in getattr(pipeline, name).parameters())
        assert sizes[name] == held


@pytest.fixture
def two_gib(tmp_path: Path) -> Path:
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
def test_too_little_memory_is_said_before_loading(
    two_gib: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, object],
    gpu: int,
    machine: int,
    message: str | None,
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr(room, "available_gpu_memory", lambda device: gpu * GIB)
    monkeypatch.setattr(room, "available_memory", lambda: machine * GIB)
    read = read_options(entrant_of("diffusers", model=str(two_gib), **options))
    if message is None:
        room.check_model_fits("X", two_gib, INDEX, read)
        return
    with pytest.raises(BackendError, match=message):
        room.check_model_fits("X", two_gib, INDEX, read)


def test_as_many_processes_as_hold_their_weights(
    two_gib: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = read_options(entrant_of("diffusers", model=str(two_gib), device="cpu"))
    for free, processes in ((0, 1), (3, 1), (5, 2), (8, 4)):
        monkeypatch.setattr(room, "available_memory", lambda free=free: free * GIB)
        assert room.max_processes(two_gib, INDEX, read) == processes


def test_a_container_has_less_than_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "CGROUP", tmp_path)
    machine = room.available_memory()
    (tmp_path / "memory.max").write_text("1000\n", encoding="ascii")
    (tmp_path / "memory.current").write_text("700\n", encoding="ascii")
    (tmp_path / "memory.stat").write_text("anon 500\ninactive_file 200\n", encoding="ascii")
    assert room.available_memory() == 500  # files that were read give way
    (tmp_path / "memory.max").write_text("max\n", encoding="ascii")
    assert room.available_memory() > 1000
    assert machine > 1000
