"""What a training's TOML file may say; every key has a default."""

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from generator.foal.training.quality_gate import QualityGate


@dataclass(frozen=True)
class DecoderTraining:
    steps: int = 8_000
    clips: int = 24
    frames: int = 3  # of each clip
    points: int = 192  # of each frame
    background_points: int = 256  # of each empty scene
    learning_rate: float = 3e-3


@dataclass(frozen=True)
class SceneEncoderTraining:
    steps: int = 4_000
    batch: int = 32
    learning_rate: float = 2e-3


@dataclass(frozen=True)
class TransformerTraining:
    steps: int = 13_000
    batch: int = 64
    muon_rate: float = 0.015
    adam_rate: float = 3e-3
    ema_decay: float = 0.999
    decay_from: float = 0.5  # share of the steps after which the learning rates fall to zero
    milestones: tuple[int, ...] = ()  # steps whose weights are kept beside


@dataclass(frozen=True)
class Distillation:
    """Of the finished transformer into one of `student_steps`; 0 `steps` is none."""

    steps: int = 0
    student_steps: int = 4
    batch: int = 64
    learning_rate: float = 5e-4


@dataclass(frozen=True)
class TrainConfig:
    """A training.

    `codec_run` names another training's folder, relative to this one's, whose codec is used:
    several transformers can share a codec. `transformer_run` names one whose transformer goes
    on; weights that it lacks begin at zero. `workers` processes make batches ahead; their number
    changes no bit. `compile` makes a transformer's step half again as fast where there is a C++
    compiler.
    """

    seed: int = 1
    threads: int = 1
    workers: int = 0
    precision: str = "float32"  # or "bfloat16": several times faster where the CPU has it
    compile: bool = False
    checkpoint_seconds: float = 120.0
    codec_run: str = ""
    transformer_run: str = ""
    codec: dict[str, int] = field(default_factory=dict)
    decoder_training: DecoderTraining = field(default_factory=DecoderTraining)
    scene_encoder_training: SceneEncoderTraining = field(default_factory=SceneEncoderTraining)
    quality_gate: QualityGate = field(default_factory=QualityGate)
    transformer: dict[str, int] = field(default_factory=dict)
    transformer_training: TransformerTraining = field(default_factory=TransformerTraining)
    distillation: Distillation = field(default_factory=Distillation)


SECTIONS = {
    "decoder_training": DecoderTraining,
    "scene_encoder_training": SceneEncoderTraining,
    "quality_gate": QualityGate,
    "transformer_training": TransformerTraining,
    "distillation": Distillation,
}


def read_config(path: Path) -> TrainConfig:
    """Read a training's TOML file.

    Raises:
        ValueError: a key or a value that no training has, naming file and key.
    """
    try:
        table = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{path}: not a readable TOML file ({error}).") from error
    for name, section in SECTIONS.items():
        if name in table:
            table[name] = _fill(section, table[name], f"{path}: [{name}]")
    config: TrainConfig = _fill(TrainConfig, table, str(path))
    return config


def _fill(kind: Any, table: dict[str, Any], where: str) -> Any:
    known = {item.name for item in fields(kind)}
    for key in table:
        if key not in known:
            raise ValueError(f"{where}: unknown key '{key}'; known are {', '.join(sorted(known))}.")
    return kind(**table)
