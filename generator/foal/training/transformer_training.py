"""Training of the transformer: flow matching on the states of clips generated on the fly."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import torch
from torch import Tensor

from generator.foal.model.codec import normalize
from generator.foal.model.noise_schedule import SIGMA_SHIFT, expand_like, shift_sigma
from generator.foal.model.states import SOUND_DIM, encode_content, encode_motion
from generator.foal.model.transformer import (
    UNKNOWN,
    FoalTransformer,
    Latents,
    Source,
)
from generator.foal.training.loop import Figures
from generator.foal.world import sound
from generator.foal.world.captions import describe
from generator.foal.world.clip import FRAMES, SECONDS, sample_motions
from generator.foal.world.edits import sample_edit
from generator.foal.world.physics import Motions
from generator.foal.world.scenes import Scene, sample_scene

CONTENT_WEIGHT = 0.5
JITTER_WEIGHT = 1.0  # of errors in second differences of motion, which are visible as jitter
WORD_DROPOUT = 0.03  # fraction of words replaced by the unknown word, for robustness to new words
CONDITION_NOISE = 0.03  # added to source latents, since the encoder is not exact


class Task(StrEnum):
    """Task of a batch."""

    TEXT = "text to video"
    IMAGE = "image to video"
    EDIT = "video edit"


TASK_SHARES = {Task.TEXT: 0.70, Task.IMAGE: 0.15, Task.EDIT: 0.15}  # of the batches


@dataclass(frozen=True)
class NoiseLevels:
    """Distribution of noise levels in training, and the weight of the loss at each level.

    Attributes:
        shift: of the levels towards noise; below 1 towards clean latents.
        min_level: the loss is divided by the squared level, which is clamped to this minimum.
        balanced: whether high noise levels, at which clips are unpredictable, get lower weights, so
            that all levels contribute about equally to the loss of a trained model.
    """

    shift: float
    min_level: float
    balanced: bool

    def weights(self, level: Tensor) -> Tensor:
        """Weights of the loss at noise levels, (B,) -> (B,)."""
        weight = 1 / level.clamp(min=self.min_level) ** 2
        return weight * (1 + HIGHEST_WEIGHT - level) if self.balanced else weight


HIGHEST_WEIGHT = 0.05  # factor at pure noise if `balanced`
PLAIN_LEVELS = NoiseLevels(SIGMA_SHIFT, 0.25, balanced=False)
# Errors at low noise are small, and unbalanced weights would let those at high noise dominate: then
# objects jitter by half a pixel, which is visible, and their speeds come out too low.
SELF_COND_LEVELS = NoiseLevels(1.5, 0.1, balanced=True)
SELF_COND_SHARE = 0.5  # of the steps that give a model its own prediction (self-conditioning)


@dataclass(frozen=True)
class Batch:
    """B training clips of one task, as normalized latents."""

    task: Task
    texts: list[str]
    clean: Latents
    source: Source | None


def sample_batch(rng: np.random.Generator, size: int) -> Batch:
    """Sample new training clips for a random task."""
    task = list(TASK_SHARES)[int(rng.choice(len(TASK_SHARES), p=list(TASK_SHARES.values())))]
    rows = [_sample_clip(rng, task) for _ in range(size)]
    content, motion, audio, source_content, source_motion = (
        torch.from_numpy(np.stack([row[i] for row in rows])) for i in range(5)
    )
    clean = normalize(content, motion, audio)
    source = (
        None if task == Task.TEXT else Source(*normalize(source_content, source_motion, audio)[:2])
    )
    return Batch(task, [str(row[5]) for row in rows], clean, source)


def _sample_clip(rng: np.random.Generator, task: Task) -> tuple[np.ndarray | str, ...]:
    """Content, motion, sound, source content and source motion of a clip, and its text."""
    while True:
        scene = sample_scene(rng)
        motions = sample_motions(scene, rng)
        content, motion = encode_content(scene, motions), encode_motion(motions)
        if task != Task.EDIT:
            text = describe(scene, rng)
            return content, motion, _sqrt_bands(scene, motions), content, motion[0], text
        edit = sample_edit(scene, rng)
        if edit.target.held_out:
            continue
        kept_motions = motions.select(edit.kept)
        target = encode_content(edit.target, kept_motions, edit.kept)
        no_motion = np.zeros_like(motion[0])
        return target, motion, _sqrt_bands(edit.target, kept_motions), content, no_motion, edit.text


def _sqrt_bands(scene: Scene, motions: Motions) -> np.ndarray:
    bands = sound.envelope(scene, motions, seconds=SECONDS)
    return np.asarray(np.sqrt(bands).reshape(FRAMES, SOUND_DIM))


def flow_loss(
    model: FoalTransformer, batch: Batch, rng: np.random.Generator
) -> tuple[Tensor, Figures]:
    """Flow-matching loss of a batch: squared error of the predicted clean latents."""
    config: Any = model.config
    schedule = SELF_COND_LEVELS if config.self_cond else PLAIN_LEVELS
    size = len(batch.texts)
    words = model.tokenize(batch.texts)[0]
    word_dropout = torch.from_numpy(rng.random(words.shape) < WORD_DROPOUT) & (words > UNKNOWN)
    words = words.masked_fill(word_dropout, UNKNOWN)
    # Stratified sampling: one level from each of `size` equal intervals.
    uniform = torch.from_numpy((rng.permutation(size) + rng.random(size)) / size).float()
    level = shift_sigma(uniform, schedule.shift)
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    levels = level[:, None].repeat(1, 3)
    noisy = [add_noise(part, level, generator) for part in batch.clean]
    source = batch.source
    if source is not None:
        source = Source(*(perturb(part, generator) for part in source))
    if batch.task == Task.EDIT:
        levels[:, 1] = 0
        noisy[1] = perturb(batch.clean.motion, generator)
    latents, self_cond = Latents(*noisy), None
    if config.self_cond:
        self_cond = Latents(*(torch.zeros_like(part) for part in latents))
        if rng.random() < SELF_COND_SHARE:
            with torch.no_grad():
                self_cond = model(words, latents, levels, source, self_cond)
    prediction = model(words, latents, levels, source, self_cond)
    weight = schedule.weights(level)
    content, motion, audio = (
        (per_clip(predicted - part) * weight).mean()
        for predicted, part in zip(prediction, batch.clean, strict=True)
    )
    difference = torch.diff(prediction.motion - batch.clean.motion, n=2, dim=1)
    jitter_loss = (per_clip(difference) * weight).mean()
    figures = {
        "content": float(content.detach()),
        "motion": float(motion.detach()),
        "sound": float(audio.detach()),
        "jitter": float(jitter_loss.detach()),
    }
    if batch.task == Task.EDIT:  # its motion is an input
        figures = {"edit": figures["content"]}
        return CONTENT_WEIGHT * content + audio, figures
    return CONTENT_WEIGHT * content + motion + audio + JITTER_WEIGHT * jitter_loss, figures


def add_noise(part: Tensor, level: Tensor, generator: torch.Generator) -> Tensor:
    """(1 - t) x + t noise for the level t of each clip, shapes (B, ...) and (B,)."""
    share = expand_like(level, part)
    return (1 - share) * part + share * torch.randn(part.shape, generator=generator)


def perturb(part: Tensor, generator: torch.Generator) -> Tensor:
    """Add noise to source latents, like the error of the encoder."""
    return part + CONDITION_NOISE * torch.randn(part.shape, generator=generator)


def per_clip(error: Tensor) -> Tensor:
    """Mean squared error of each clip, (B, ...) -> (B,)."""
    return error.float().square().flatten(1).mean(dim=1)


def make_optimizers(
    model: FoalTransformer, *, muon_rate: float, adam_rate: float
) -> tuple[torch.optim.Optimizer, ...]:
    """Muon for the matrices of the blocks, AdamW for all other parameters."""
    matrices = [p for p in model.stream.parameters() if p.dim() == 2 and min(p.shape) > 4]
    ids = {id(p) for p in matrices}
    rest = [p for p in model.parameters() if id(p) not in ids]
    return (
        torch.optim.Muon(matrices, lr=muon_rate, weight_decay=0.0),
        torch.optim.AdamW(rest, lr=adam_rate, betas=(0.9, 0.98), weight_decay=0.0),
    )
