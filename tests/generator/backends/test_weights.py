"""Model folders that could run code, or link outside themselves, are rejected unread."""

import json
import shutil
from pathlib import Path

import pytest
import tiny_pipelines
from small_clips import entrant_of, small_track

from generator.backends.diffusers.weights import check_folder, hash_folder
from generator.engine import check
from generator.errors import SpecError

CANARY = "from pathlib import Path\nPath({!r}).touch()\n"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_pipelines.save(tiny_pipelines.wan, tmp_path_factory.mktemp("wan"))


@pytest.fixture
def model(saved: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return shutil.copytree(saved, tmp_path / "model")


def assert_rejected(folder: Path, message: str) -> None:
    entrant = entrant_of("diffusers", model=str(folder))
    with pytest.raises(SpecError, match=message):
        check(entrant, small_track(audio=False))


@pytest.mark.parametrize(
    "path", ["pipeline.py", "WanPipeline.py", "transformer/mine.py", "vae/deep/er/x.PY", "x.so"]
)
def test_code_in_a_folder_is_rejected_and_never_run(model: Path, tmp_path: Path, path: str) -> None:
    canary = tmp_path / "canary"
    (model / path).parent.mkdir(parents=True, exist_ok=True)
    (model / path).write_text(CANARY.format(str(canary)), encoding="utf-8")
    assert_rejected(
        model, "is code, which is never run from a model's folder; remove it, or install it"
    )
    assert not canary.exists()


def test_a_configuration_that_loads_code_is_rejected(model: Path) -> None:
    file = model / "text_encoder" / "config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(config | {"auto_map": {"AutoModel": "x.Y"}}), encoding="utf-8")
    assert_rejected(model, r"text_encoder/config\.json loads code with 'auto_map'")


@pytest.mark.parametrize("name", [["mine", "Mine"], None, 3])
def test_a_pipeline_class_from_a_file_is_rejected(model: Path, name: object) -> None:
    file = model / "model_index.json"
    index = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(index | {"_class_name": name}), encoding="utf-8")
    assert_rejected(model, "does not name a class of diffusers")


def test_a_pickle_in_a_subfolder_is_rejected(model: Path) -> None:
    (model / "vae" / "old" / "weights.PTH").parent.mkdir()
    (model / "vae" / "old" / "weights.PTH").write_bytes(b"")
    assert_rejected(model, "is pickled")


def test_a_long_header_is_rejected_before_it_is_parsed(model: Path) -> None:
    weights = model / "vae" / "diffusion_pytorch_model.safetensors"
    entry = b'"t%08d":{"dtype":"F32","shape":[],"data_offsets":[0,0]},'
    header = b"{" + b"".join(entry % number for number in range(200_000))
    header = header[:-1] + b"}"
    assert len(header) > 10_000_000
    weights.write_bytes(len(header).to_bytes(8, "little") + header)
    assert_rejected(model, r"or declares a header of more than 8 MiB")


def test_a_long_index_is_rejected_before_it_is_parsed(model: Path) -> None:
    index = model / "model_index.json"
    index.write_text("[" * 9 * 2**20, encoding="utf-8")
    assert_rejected(model, r"model_index\.json is not valid JSON")


@pytest.mark.parametrize(
    "header",
    [
        b'{"a": nonsense',
        b'{"a": {"dtype": "F32", "shape": [2], "data_offsets": "none"}}',
        b'{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 99]}}',
        b'{"a": []}',
        b"{" * 9000,
    ],
)
def test_an_invalid_safetensors_header_is_rejected(model: Path, header: bytes) -> None:
    weights = model / "vae" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    assert_rejected(model, "is not a valid safetensors file")


def test_hidden_weights_which_the_hash_omits_are_rejected(model: Path) -> None:
    weights = model / "vae" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_name(".hidden.safetensors"))
    assert_rejected(model, "is hidden")


def test_an_index_without_a_class_for_a_component_is_rejected(model: Path) -> None:
    file = model / "model_index.json"
    index = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(index | {"more": []}), encoding="utf-8")
    assert_rejected(model, "does not name a class for more")


def test_a_link_out_of_the_folder_is_rejected(model: Path, tmp_path: Path) -> None:
    outside = tmp_path / "secret.safetensors"
    weights = model / "vae" / "diffusion_pytorch_model.safetensors"
    weights.rename(outside)
    weights.symlink_to(outside)
    assert_rejected(model, "is a link to something outside the model")


def test_a_link_to_a_folder_is_rejected_because_its_files_are_not_checked(
    model: Path, tmp_path: Path
) -> None:
    (model / "vae").rename(tmp_path / "vae")
    (model / "vae").symlink_to(tmp_path / "vae", target_is_directory=True)
    assert_rejected(model, "is a link to something outside the model")


def test_a_broken_link_is_rejected(model: Path) -> None:
    (model / "vae" / "more.safetensors").symlink_to(model / "none")
    assert_rejected(model, "is a link to something outside the model")


def test_the_hub_cache_may_link_only_to_its_blobs(saved: Path, tmp_path: Path) -> None:
    snapshot = tmp_path / "models--owner--name" / "snapshots" / "abc"
    blobs = tmp_path / "models--owner--name" / "blobs"
    shutil.copytree(saved, snapshot)
    blobs.mkdir()
    expected = hash_folder(snapshot)
    weights = snapshot / "vae" / "diffusion_pytorch_model.safetensors"
    shutil.move(weights, blobs / "0123")
    weights.symlink_to(Path("../../../blobs/0123"))
    assert check_folder("X", snapshot)["_class_name"] == "WanPipeline"
    assert hash_folder(snapshot) == expected
    shutil.move(blobs / "0123", tmp_path / "0123")
    weights.unlink()
    weights.symlink_to(tmp_path / "0123")
    assert_rejected(snapshot, "is a link to something")
