"""Pipelines of earlier releases are refused when loaded, and converted by one command."""

import json
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file
from tiny_foal import build_tiny_pipeline

from generator.foal import FoalPipeline
from generator.foal.build import save_pipeline
from generator.foal.convert import ARGUMENTS, PARAMETERS, WEIGHTS, convert_pipeline, main

OLD_MODULES = {"codec": "generator.foal.codec", "transformer": "generator.foal.model"}


def _save_with_old_names(folder: Path) -> None:
    save_pipeline(build_tiny_pipeline(), folder)
    index = json.loads((folder / "model_index.json").read_text())
    for model, module in OLD_MODULES.items():
        index[model][0] = module
        old_names = {new: old for old, new in PARAMETERS[model].items()}
        tensors = {
            ".".join(old_names.get(name, name) for name in key.split(".")): tensor
            for key, tensor in load_file(folder / model / WEIGHTS).items()
        }
        save_file(tensors, folder / model / WEIGHTS, metadata={"format": "pt"})
        old_arguments = {new: old for old, new in ARGUMENTS[model].items()}
        config = json.loads((folder / model / "config.json").read_text())
        config = {old_arguments.get(name, name): value for name, value in config.items()}
        (folder / model / "config.json").write_text(json.dumps(config))
    (folder / "model_index.json").write_text(json.dumps(index))


def test_an_old_pipeline_is_refused_and_converted_bit_by_bit(tmp_path: Path) -> None:
    new, old, converted = tmp_path / "new", tmp_path / "old", tmp_path / "converted"
    save_pipeline(build_tiny_pipeline(), new)
    _save_with_old_names(old)
    with pytest.raises(ValueError, match=r"python -m generator\.foal\.convert"):
        FoalPipeline.from_pretrained(old, local_files_only=True)
    assert main([str(old), str(converted)]) is None
    files = [path.relative_to(new) for path in new.rglob("*") if path.is_file()]
    assert len(files) == 6
    for file in files:
        assert (converted / file).read_bytes() == (new / file).read_bytes(), file


def test_only_old_pipelines_are_converted_and_nothing_is_overwritten(tmp_path: Path) -> None:
    save_pipeline(build_tiny_pipeline(), tmp_path / "new")
    with pytest.raises(ValueError, match="does not hold a Foal pipeline of an earlier release"):
        convert_pipeline(tmp_path / "new", tmp_path / "other")
    _save_with_old_names(tmp_path / "old")
    with pytest.raises(ValueError, match="exists"):
        convert_pipeline(tmp_path / "old", tmp_path / "new")


def test_saved_pipelines_name_the_package_of_the_models(tmp_path: Path) -> None:
    save_pipeline(build_tiny_pipeline(), tmp_path)
    index = json.loads((tmp_path / "model_index.json").read_text())
    assert index["codec"] == ["generator.foal.model", "FoalCodec"]
    assert index["transformer"] == ["generator.foal.model", "FoalTransformer"]
