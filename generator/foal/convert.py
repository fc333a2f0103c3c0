"""Convert a saved pipeline of an earlier release to today's parameter names.

    python -m generator.foal.convert OLD_FOLDER NEW_FOLDER

Only names change: of parameters, of the arguments in `config.json`, and of the modules in
`model_index.json`. Tensors keep their bits and dtypes. Checkpoints of trainings cannot be
converted; start these trainings again.
"""

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from generator.foal.model.base import OLD_ARGUMENT, PUBLIC_MODULE

WEIGHTS = "diffusion_pytorch_model.safetensors"

# Old to new names of modules and parameters: each segment of a dotted state-dict key.
PARAMETERS = {
    "codec": {
        "reader": "encoder",
        "place": "pos_embed",
        "heads": "head",
        "thin": "reduce",
        "whole": "scene_head",
        "things": "objects",
        "sprite": "sprite_mlp",
        "shade": "shadow_mlp",
        "strand": "rope_mlp",
        "plane": "feature_plane",
        "point": "point_in",
        "code": "cond_in",
        "middle": "hidden",
    },
    "transformer": {
        "word": "word_embed",
        "word_place": "word_pos_embed",
        "part": "slot_embed",
        "moment": "time_embed",
        "given": "source_embed",
        "enter_content": "content_in",
        "enter_motion": "motion_in",
        "enter_sound": "sound_in",
        "guess_content": "self_cond_content_in",
        "guess_motion": "self_cond_motion_in",
        "guess_sound": "self_cond_sound_in",
        "enter_place": "source_motion_in",
        "leave_content": "content_out",
        "leave_motion": "motion_out",
        "leave_sound": "sound_out",
        "noise": "sigma_embed",
        "attention_norm": "attn_norm",
        "attention": "attn",
        "qkv": "qkv_proj",
        "gate": "gate_proj",
        "out": "out_proj",
        "query_norm": "q_norm",
        "key_norm": "k_norm",
        "rise": "up_gate_proj",
        "fall": "down_proj",
        "maps": "linears",
    },
}
# Old to new arguments of the models.
ARGUMENTS = {
    "codec": {
        "reader_width": "encoder_dim",
        "plane_grid": "plane_rows",
        "form": "latent_format",
    },
    "transformer": {
        "parts": "content_tokens",
        "part_size": "content_dim",
        "motion_size": "motion_dim",
        "sound_size": "sound_dim",
        "width": "dim",
        "hidden": "mlp_dim",
        "outer": "modality_layers",
        "words": "text_length",
        "moments": "time_steps",
        "refining": "self_cond",
        "form": "latent_format",
    },
}


def convert_pipeline(old: Path, new: Path) -> None:
    """Write the pipeline in folder `old` to the folder `new` with today's names.

    Raises:
        ValueError: `old` does not hold a pipeline of an earlier release, or `new` exists.
    """
    index_file = old / "model_index.json"
    if not index_file.is_file() or OLD_ARGUMENT not in _read_json(old / "codec" / "config.json"):
        raise ValueError(f"{old} does not hold a Foal pipeline of an earlier release.")
    if new.exists():
        raise ValueError(f"{new} exists; name a folder that does not.")
    shutil.copytree(old, new)
    index = _read_json(index_file)
    for model, renamed in PARAMETERS.items():
        index[model] = [PUBLIC_MODULE, index[model][1]]
        tensors = load_file(old / model / WEIGHTS)
        tensors = {_rename_key(key, renamed): tensor for key, tensor in tensors.items()}
        save_file(tensors, new / model / WEIGHTS, metadata={"format": "pt"})
        config = _read_json(old / model / "config.json")
        config = {ARGUMENTS[model].get(key, key): value for key, value in config.items()}
        _write_json(new / model / "config.json", config)
    _write_json(new / "model_index.json", index)


def _rename_key(key: str, renamed: Mapping[str, str]) -> str:
    return ".".join(renamed.get(segment, segment) for segment in key.split("."))


def _read_json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write as diffusers does, so that saving again changes no byte."""
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def main(arguments: list[str]) -> str | None:
    """Run the command; returns what went wrong, in one sentence."""
    if len(arguments) != 2:
        return "usage: python -m generator.foal.convert OLD_FOLDER NEW_FOLDER"
    try:
        convert_pipeline(*map(Path, arguments))
    except (OSError, ValueError) as error:
        return f"convert: {error}"
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
