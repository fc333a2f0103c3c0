"""Foal's training: codec, its gate, transformer, and the folder that a pipeline loads.

One command makes the whole from nothing, data included; killed anywhere, it goes on where it was.
"""

import logging
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from generator.foal.build import build_pipeline, build_transformer, save_pipeline
from generator.foal.checkpoints import load_checkpoint
from generator.foal.codec import FoalCodec
from generator.foal.codec_training import codec_loss, draw_batch, encoder_pictures
from generator.foal.gate import Gate, pass_gate
from generator.foal.loop import Figures, Stage, milestone_path, train_stage
from generator.foal.pipeline import FoalPipeline
from generator.foal.sheets import clip_row, save_sheet
from generator.foal.sound import BANDS
from generator.foal.transformer_training import flow_loss, make_codes, make_optimizers
from generator.foal.world import FRAME_RATE, FRAMES, held_out_captions, make_clip
from generator.memory import reuse_freed_memory

logger = logging.getLogger(__name__)

SHEET_SEED = 90_001
SHEET_CLIPS = 8
SHEET_PIXELS = 128


@dataclass(frozen=True)
class CodecTraining:
    steps: int = 12_000
    clips: int = 18
    frames: int = 4
    points: int = 256
    learning_rate: float = 2e-3
    help_from: float = 1.0  # weight of what the renderer tells, at the start
    help_to: float = 0.1  # and at the end


@dataclass(frozen=True)
class TransformerTraining:
    clips: int = 12_000  # whose codes are learned from
    steps: int = 4_500
    batch: int = 48
    muon_rate: float = 0.015
    adam_rate: float = 3e-3
    milestones: tuple[float, ...] = ()  # shares of the steps whose weights are kept beside


@dataclass(frozen=True)
class TrainConfig:
    """A training, as a TOML file says it; every key has a default.

    `codec_run` names another training's folder, relative to this one's, whose codec and codes are
    used: several transformers can share a codec.
    """

    seed: int = 1
    threads: int = 1
    precision: str = "float32"  # or "bfloat16": several times faster where the CPU has it
    checkpoint_seconds: float = 120.0
    codec_run: str = ""
    codec: dict[str, int] = field(default_factory=dict)
    codec_training: CodecTraining = field(default_factory=CodecTraining)
    gate: Gate = field(default_factory=Gate)
    transformer: dict[str, int] = field(default_factory=dict)
    transformer_training: TransformerTraining = field(default_factory=TransformerTraining)


def read_config(path: Path) -> TrainConfig:
    """Read a training's TOML file.

    Raises:
        ValueError: a key or a value that no training has, naming file and key.
    """
    try:
        table = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{path}: not a readable TOML file ({error}).") from error
    sections = {
        "codec_training": CodecTraining,
        "gate": Gate,
        "transformer_training": TransformerTraining,
    }
    for name, section in sections.items():
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


def train(config: TrainConfig, run_dir: Path, resume: bool = True) -> None:
    """Train everything that is not there yet; the finished model is `run_dir`/model.

    Raises:
        GateError: the codec is not good enough for a transformer to be worth its time.
    """
    torch.set_num_threads(config.threads)
    reuse_freed_memory()
    run_dir.mkdir(parents=True, exist_ok=True)
    if config.codec_run:
        shared = run_dir / config.codec_run
        codec = read_codec(config, shared)
    else:
        shared = run_dir
        codec = train_codec(config, run_dir, resume=resume)
        pass_gate(codec, config.gate, run_dir / "gate.json")
    train_transformer(config, codec, shared / "codes", run_dir, resume=resume)


def train_from_file(config: Path, run: Path) -> None:
    """What `python -m generator train CONFIG.toml --run DIR` calls."""
    train(read_config(config), run)


def train_codec(config: TrainConfig, run: Path, *, resume: bool) -> FoalCodec:
    """Train the autoencoder, or read it if its training is done; mean weights, no gradients."""
    plan = config.codec_training
    torch.manual_seed(config.seed)
    codec: FoalCodec = FoalCodec(**config.codec)
    codec.to(memory_format=torch.channels_last)  # type: ignore[call-arg]  # diffusers wraps __init__ without types
    optimizer = torch.optim.AdamW(
        codec.parameters(), lr=plan.learning_rate, betas=(0.9, 0.98), weight_decay=1e-4
    )

    def loss(step: int) -> tuple[Tensor, Figures]:
        rng = np.random.default_rng((config.seed, 1, step))
        batch = draw_batch(rng, clips=plan.clips, frames=plan.frames, points=plan.points)
        share = step / plan.steps
        weight = plan.help_from + share * (plan.help_to - plan.help_from)
        noise = torch.Generator().manual_seed(int(rng.integers(2**62)))
        with torch.autocast("cpu", torch.bfloat16, enabled=config.precision == "bfloat16"):
            return codec_loss(codec, batch, help_weight=weight, noise=noise)

    def show(weights: dict[str, Tensor], path: Path) -> None:
        shown = FoalCodec(**config.codec)
        shown.load_state_dict(weights)
        save_sheet(path, codec_sheet(shown.eval()))

    weights = train_stage(
        Stage("codec", codec, (optimizer,), loss, show, plan.steps),
        run,
        resume=resume,
        checkpoint_seconds=config.checkpoint_seconds,
    )
    codec.load_state_dict(weights)
    codec.requires_grad_(False).eval()
    return codec


def train_transformer(
    config: TrainConfig, codec: FoalCodec, codes: Path, run: Path, *, resume: bool
) -> None:
    """Train the transformer on the codec's codes and save the pipeline and its milestones."""
    plan = config.transformer_training
    torch.manual_seed(config.seed)
    model = build_transformer(codec, **config.transformer)
    with torch.autocast("cpu", torch.bfloat16, enabled=config.precision == "bfloat16"):
        book = make_codes(codec, model, codes, clips=plan.clips, seed=config.seed)

    def loss(step: int) -> tuple[Tensor, Figures]:
        rng = np.random.default_rng((config.seed, 3, step))
        with torch.autocast("cpu", torch.bfloat16, enabled=config.precision == "bfloat16"):
            return flow_loss(model, book, rng, plan.batch)

    def pipeline(weights: dict[str, Tensor]) -> FoalPipeline:
        made = build_transformer(codec, **config.transformer)
        made.load_state_dict(weights)
        built = build_pipeline(codec, made)
        built.set_progress_bar_config(disable=True)  # type: ignore[no-untyped-call]
        return built

    def show(weights: dict[str, Tensor], path: Path) -> None:
        with torch.random.fork_rng(devices=[]):
            save_sheet(path, model_sheet(pipeline(weights)))

    steps = tuple(max(1, round(share * plan.steps)) for share in plan.milestones)
    weights = train_stage(
        Stage(
            name="transformer",
            module=model,
            optimizers=make_optimizers(model, muon_rate=plan.muon_rate, adam_rate=plan.adam_rate),
            loss=loss,
            show=show,
            steps=plan.steps,
            milestones=steps,
        ),
        run,
        resume=resume,
        checkpoint_seconds=config.checkpoint_seconds,
    )
    save_pipeline(pipeline(weights), run / "model")
    for step in steps:
        kept = load_checkpoint(milestone_path(run, "transformer", step))
        if kept:
            save_pipeline(pipeline(kept["mean"]), run / f"model-{step:06d}")


def model_sheet(pipeline: FoalPipeline) -> list[np.ndarray]:
    """Held-out captions as the model shows them, a row each with its sound below."""
    rows = []
    for i, text in enumerate(held_out_captions(SHEET_SEED, SHEET_CLIPS)):
        generator = torch.Generator().manual_seed(SHEET_SEED + i)
        size = SHEET_PIXELS
        latent: Any = pipeline(text, generator=generator, output_type="latent", return_dict=False)[
            0
        ]
        film, _ = pipeline.decode_latents(
            latent, height=size, width=size, num_frames=FRAMES, frame_rate=FRAME_RATE
        )
        sound = pipeline.codec.denormalize(*pipeline.unpack(latent))[2]
        rows.append(clip_row(film[0].numpy(), sound[0].reshape(-1, BANDS).clamp(min=0).numpy()))
    return rows


def read_codec(config: TrainConfig, run: Path) -> FoalCodec:
    """The codec that another training made.

    Raises:
        ValueError: it has not been made yet.
    """
    state = load_checkpoint(run / "codec.pt")
    if state is None:
        raise ValueError(f"{run} has no codec yet: train the configuration it belongs to first.")
    codec: FoalCodec = FoalCodec(**config.codec)
    codec.load_state_dict(state["mean"])
    codec.requires_grad_(False).eval()
    return codec


@torch.no_grad()
def codec_sheet(codec: FoalCodec) -> list[np.ndarray]:
    """Held-out clips and, below each, what the codec makes of them."""
    rows = []
    for i in range(SHEET_CLIPS):
        clip = make_clip(SHEET_SEED + i, held_out=True)
        every = np.arange(len(clip.motions.position))[None]
        codes = codec.encode(encoder_pictures([clip], every))
        size = SHEET_PIXELS
        film = codec.decode(codes.content, codes.motion, height=size, width=size)[0]
        rows += [clip_row(clip.frames(height=size, width=size)), clip_row(film.float().numpy())]
    return rows
