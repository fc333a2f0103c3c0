"""Train Foal: decoder, scene encoder, quality gate, transformer, distillation, saved pipelines.

Training data is generated on the fly. An interrupted run resumes from its last checkpoints.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from generator.foal.build import build_pipeline, build_transformer, save_pipeline
from generator.foal.model.codec import FoalCodec
from generator.foal.model.transformer import FoalTransformer
from generator.foal.pipeline import FoalPipeline
from generator.foal.training import contact_sheets as sheets
from generator.foal.training.checkpoints import load_checkpoint
from generator.foal.training.config import TrainConfig, read_config
from generator.foal.training.decoder_training import decoder_loss, sample_backgrounds, sample_points
from generator.foal.training.distillation import distillation_loss
from generator.foal.training.loop import Stage, milestone_path, train_stage
from generator.foal.training.quality_gate import check_quality
from generator.foal.training.scene_encoder_training import sample_images, scene_encoder_loss
from generator.foal.training.transformer_training import flow_loss, make_optimizers, sample_batch
from generator.memory import reuse_freed_memory

logger = logging.getLogger(__name__)

DECODER, ENCODER = "decoder", "encoder"
TRANSFORMER, DISTILLATION = "transformer", "distilled"
# Second number of a step's seed, so that stages draw different random numbers.
STREAMS = {DECODER: 1, ENCODER: 2, TRANSFORMER: 3, DISTILLATION: 4}


def train(config: TrainConfig, run: Path, resume: bool = True) -> None:
    """Run all stages that are not finished; the trained pipeline is saved to `run`/model.

    Raises:
        QualityGateError: the codec does not pass the quality gate.
        ValueError: another run that the configuration refers to is missing or does not fit.
    """
    torch.set_num_threads(config.threads)
    reuse_freed_memory()
    run.mkdir(parents=True, exist_ok=True)
    trainer = _Trainer(config, run, resume)
    if config.codec_run:
        codec = read_codec(config, run / config.codec_run)
    else:
        codec = trainer.train_codec()
        check_quality(codec, config.quality_gate, run / "gate.json")
    trainer.train_transformer(codec)


def train_from_file(config: Path, run: Path) -> None:
    """Train from a TOML file, as `python -m generator train` does."""
    train(read_config(config), run)


def read_codec(config: TrainConfig, run: Path) -> FoalCodec:
    """Load the codec of another run.

    Raises:
        ValueError: it has not been trained yet.
    """
    codec: FoalCodec = FoalCodec(**config.codec)
    for name in (DECODER, ENCODER):
        getattr(codec, name).load_state_dict(_read_weights(run, name))
    codec.requires_grad_(False).eval()
    return codec


def initialize_from(run: Path, model: FoalTransformer) -> None:
    """Initialize a transformer from another run; weights that are missing there are kept.

    Raises:
        ValueError: the other transformer has not been trained yet, or has other sizes.
    """
    try:
        unexpected = model.load_state_dict(
            _read_weights(run, TRANSFORMER), strict=False
        ).unexpected_keys
    except RuntimeError as error:
        raise ValueError(f"{run}: the transformer has other sizes ({error}).") from error
    if unexpected:
        raise ValueError(f"{run}: the transformer has weights that this one lacks: {unexpected}.")


def _read_weights(run: Path, name: str) -> dict[str, Tensor]:
    state = load_checkpoint(run / f"{name}.pt")
    if state is None:
        raise ValueError(
            f"{run.resolve()} (codec_run or transformer_run) has no {name} yet: "
            "run its training first."
        )
    weights: dict[str, Tensor] = state["mean"]
    return weights


class _Trainer:
    """The stages of one run, with its configuration and folder."""

    def __init__(self, config: TrainConfig, run: Path, resume: bool) -> None:
        self.config, self.run, self.resume = config, run, resume

    def train_codec(self) -> FoalCodec:
        """Train decoder and scene encoder; return the codec with EMA weights, frozen."""
        torch.manual_seed(self.config.seed)
        codec: FoalCodec = FoalCodec(**self.config.codec)
        codec.encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._train_decoder(codec)
        self._train_scene_encoder(codec)
        codec.requires_grad_(False).eval()
        return codec

    def _train_decoder(self, codec: FoalCodec) -> None:
        settings, decoder = self.config.decoder_training, codec.decoder

        def sample(step: int) -> Any:
            rng = self._rng(DECODER, step)
            batch = sample_points(
                rng, clips=settings.clips, frames=settings.frames, points=settings.points
            )
            return batch, sample_backgrounds(rng, points=settings.background_points), _noise(rng)

        def save(weights: dict[str, Tensor], path: Path) -> None:
            preview = FoalCodec(**self.config.codec)
            preview.decoder.load_state_dict(weights)
            sheets.save_sheet(path, sheets.decoder_rows(preview.eval()))

        optimizer = _adam(decoder, settings.learning_rate)
        self._stage(
            Stage(
                DECODER,
                decoder,
                (optimizer,),
                sample,
                self._autocast(lambda batch: decoder_loss(decoder, *batch)),
                save,
                settings.steps,
            )
        )

    def _train_scene_encoder(self, codec: FoalCodec) -> None:
        settings, encoder = self.config.scene_encoder_training, codec.encoder

        def save(weights: dict[str, Tensor], path: Path) -> None:
            preview = FoalCodec(**self.config.codec)
            preview.load_state_dict({**codec.state_dict(), **_prefixed(ENCODER, weights)})
            sheets.save_sheet(path, sheets.codec_rows(preview.eval()))

        optimizer = _adam(encoder, settings.learning_rate)
        self._stage(
            Stage(
                ENCODER,
                encoder,
                (optimizer,),
                lambda step: sample_images(self._rng(ENCODER, step), settings.batch),
                self._autocast(lambda batch: scene_encoder_loss(encoder, batch)),
                save,
                settings.steps,
            )
        )

    def train_transformer(self, codec: FoalCodec) -> None:
        """Train and distil the transformer; save the pipelines of both and of the milestones."""
        settings = self.config.transformer_training
        torch.manual_seed(self.config.seed)
        model = build_transformer(**self.config.transformer)
        if self.config.transformer_run:
            initialize_from(self.run / self.config.transformer_run, model)
        self._compile(model)

        weights = self._stage(
            Stage(
                TRANSFORMER,
                model,
                make_optimizers(model, muon_rate=settings.muon_rate, adam_rate=settings.adam_rate),
                self._clip_sampler(TRANSFORMER, settings.batch),
                self._autocast(lambda batch: flow_loss(model, *batch)),
                self._sample_saver(codec),
                settings.steps,
                decay_from=settings.decay_from,
                milestones=tuple(settings.milestones),
                ema_decay=settings.ema_decay,
            )
        )
        save_pipeline(self._pipeline(codec, weights), self.run / "model")
        for step in settings.milestones:
            milestone = load_checkpoint(milestone_path(self.run, TRANSFORMER, step))
            if milestone:
                early = self._pipeline(codec, milestone["mean"])
                save_pipeline(early, self.run / f"model-{step:06d}")
        if self.config.distillation.steps:
            self._distil(codec, model)

    def _distil(self, codec: FoalCodec, teacher: FoalTransformer) -> None:
        settings = self.config.distillation
        student = build_transformer(**self.config.transformer)
        student.load_state_dict(teacher.state_dict())
        self._compile(student)
        teacher.requires_grad_(False).eval()

        weights = self._stage(
            Stage(
                DISTILLATION,
                student,
                (_adam(student, settings.learning_rate),),
                self._clip_sampler(DISTILLATION, settings.batch),
                self._autocast(
                    lambda batch: distillation_loss(
                        student, teacher, *batch, steps=settings.student_steps
                    )
                ),
                self._sample_saver(codec, settings.student_steps),
                settings.steps,
                decay_from=0.2,
            )
        )
        save_pipeline(self._pipeline(codec, weights), self.run / "model-distilled")

    def _stage(self, stage: Stage) -> dict[str, Tensor]:
        """Train a stage, and load the EMA weights into its module and return them."""
        weights = train_stage(
            replace(stage, workers=self.config.workers),
            self.run,
            resume=self.resume,
            checkpoint_seconds=self.config.checkpoint_seconds,
        )
        stage.module.load_state_dict(weights)
        return weights

    def _rng(self, part: str, step: int) -> np.random.Generator:
        return np.random.default_rng((self.config.seed, STREAMS[part], step))

    def _clip_sampler(self, part: str, size: int) -> Callable[[int], Any]:
        """Return a sampler of batches, each with the generator that the loss continues to use."""

        def sample(step: int) -> Any:
            rng = self._rng(part, step)
            return sample_batch(rng, size), rng

        return sample

    def _autocast(self, loss: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Wrap a loss to be computed in the configured precision."""

        def run(batch: Any) -> Any:
            enabled = self.config.precision == "bfloat16"
            # No cache: weights cast in a pass without gradients would be used for the loss too.
            with torch.autocast("cpu", torch.bfloat16, enabled=enabled, cache_enabled=False):
                return loss(batch)

        return run

    def _compile(self, model: FoalTransformer) -> None:
        if self.config.compile:
            # Every task has its own shapes: three graphs, each specialized.
            compiled = torch.compile(model.forward, dynamic=False)
            model.forward = compiled  # type: ignore[method-assign]

    def _pipeline(self, codec: FoalCodec, weights: dict[str, Tensor]) -> FoalPipeline:
        transformer = build_transformer(**self.config.transformer)
        transformer.load_state_dict(weights)
        pipeline = build_pipeline(codec, transformer)
        pipeline.set_progress_bar_config(disable=True)  # type: ignore[no-untyped-call]
        return pipeline

    def _sample_saver(
        self, codec: FoalCodec, steps: int = 8
    ) -> Callable[[dict[str, Tensor], Path], None]:
        def save(weights: dict[str, Tensor], path: Path) -> None:
            with torch.random.fork_rng(devices=[]):
                sheets.save_sheet(path, sheets.model_rows(self._pipeline(codec, weights), steps))

        return save


def _adam(module: nn.Module, rate: float) -> torch.optim.Optimizer:
    return torch.optim.AdamW(module.parameters(), lr=rate, betas=(0.9, 0.98), weight_decay=1e-4)


def _noise(rng: np.random.Generator) -> torch.Generator:
    return torch.Generator().manual_seed(int(rng.integers(2**62)))


def _prefixed(name: str, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{name}.{key}": value for key, value in weights.items()}
