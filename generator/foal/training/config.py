"""Configuration of a training run, read from TOML; every key has a default."""

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from generator.foal.training.quality_gate import QualityGate


@dataclass(frozen=True)
class DecoderTraining:
    steps: int = 8_000
    clips: int = 24
    frames: int = 3  # per clip
    points: int = 192  # per frame
    background_points: int = 256  # per background
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
    decay_from: float = 0.5  # fraction of the steps after which the learning rates decay to zero
    milestones: tuple[int, ...] = ()  # steps whose weights are saved as well


@dataclass(frozen=True)
class Distillation:
    """Distillation of the transformer into a student of `student_steps`; off if `steps` is 0."""

    steps: int = 0
    student_steps: int = 4
    batch: int = 64
    learning_rate: float = 5e-4


@dataclass(frozen=True)
class TrainConfig:
    """Configuration of a training run.

    Attributes:
        seed: of all random numbers.
        threads: of PyTorch.
        workers: processes that prepare batches; their number does not change the result.
        precision: "float32" or "bfloat16".
        compile: compile the transformer: steps 1.5 times as fast, but needs a C++ compiler.
        checkpoint_seconds: time between checkpoints.
        codec_run: folder of another run, relative to this one, whose codec is used.
        transformer_run: folder of another run from whose transformer this one is initialized;
            weights that it lacks start at zero.
        codec: arguments of `FoalCodec`.
        decoder_training: first stage.
        scene_encoder_training: second stage.
        quality_gate: requirements on the codec before the transformer is trained.
        transformer: arguments of `build_transformer`.
        transformer_training: third stage.
        distillation: fourth stage.
    """

    seed: int = 1
    threads: int = 1
    workers: int = 0
    precision: str = "float32"  # "bfloat16" is several times faster on CPUs that support it
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
    """Read the configuration of a training run.

    Raises:
        ValueError: the file is not readable, or a key is unknown.
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
