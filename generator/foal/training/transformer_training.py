"""Training of the transformer: flow matching on states of the world's clips, made as it goes."""

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
JITTER_WEIGHT = 1.0  # of errors in second differences of motion: what an eye sees as shaking
WORD_DROPOUT = 0.03  # of words replaced by the unknown one, so that a strange word does no harm
CONDITION_NOISE = 0.03  # in what a clip starts from: an encoder reads it with errors


class Task(StrEnum):
    """What a batch is to learn, with its share of the batches."""

    TEXT = "text to video"
    IMAGE = "image to video"
    EDIT = "video edit"


TASK_SHARES = {Task.TEXT: 0.70, Task.IMAGE: 0.15, Task.EDIT: 0.15}


@dataclass(frozen=True)
class NoiseSchedule:
    """Which noise levels a training sees, and how much an error at each of them counts.

    Attributes:
        shift: of the levels towards noise; below 1 towards clean codes.
        min_level: the loss is divided by the squared level, or by this one's where it is higher.
        balanced: whether high noise counts less, in the measure in which nothing can be known of a
            clip there: all levels add about equally to the loss of a trained model.
    """

    shift: float
    min_level: float
    balanced: bool

    def weights(self, level: Tensor) -> Tensor:
        """How much an error counts, (B,) -> (B,)."""
        weight = 1 / level.clamp(min=self.min_level) ** 2
        return weight * (1 + HIGHEST_WEIGHT - level) if self.balanced else weight


HIGHEST_WEIGHT = 0.05  # at pure noise, of what it would be without `even`
PLAIN_SCHEDULE = NoiseSchedule(NOISE_SHIFT, 0.25, balanced=False)
# Errors of a clip nearly clean are small and drown among those at high noise; yet an eye sees a
# path that shakes by half a pixel, and speeds that were not found in time stay too low.
SELF_COND_SCHEDULE = NoiseSchedule(1.5, 0.1, balanced=True)
SELF_COND_PROBABILITY = 0.5  # of the steps in which a refining model is given its own guess


@dataclass(frozen=True)
class Batch:
    """B training clips of one task, normalised."""

    task: Task
    texts: list[str]
    clean: Latents
    source: Source | None


def sample_batch(rng: np.random.Generator, size: int) -> Batch:
    """Fresh clips of training combinations for a random task."""
    task = list(TASK_SHARES)[int(rng.choice(len(TASK_SHARES), p=list(TASK_SHARES.values())))]
    rows = [_sample_clip(rng, task) for _ in range(size)]
    content, motion, audio, given, first = (
        torch.from_numpy(np.stack([row[i] for row in rows])) for i in range(5)
    )
    clean = normalize(content, motion, audio)
    source = None if task == Task.TEXT else Source(*normalize(given, first, audio)[:2])
    return Batch(task, [str(row[5]) for row in rows], clean, source)


def _sample_clip(rng: np.random.Generator, task: Task) -> tuple[np.ndarray | str, ...]:
    """Content, motion and sound of a clip, source content and first places, and its text."""
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
        kept = motions.select(edit.kept)
        target = encode_content(edit.target, kept, edit.kept)
        nothing = np.zeros_like(motion[0])
        return target, motion, _sqrt_bands(edit.target, kept), content, nothing, edit.text


def _sqrt_bands(scene: Scene, motions: Motions) -> np.ndarray:
    bands = sound.envelope(scene, motions, seconds=SECONDS)
    return np.asarray(np.sqrt(bands).reshape(FRAMES, SOUND_DIM))


def flow_loss(
    model: FoalTransformer, batch: Batch, rng: np.random.Generator
) -> tuple[Tensor, Figures]:
    """Loss of one batch: squared error of the clean codes, by noise level."""
    config: Any = model.config
    schedule = SELF_COND_SCHEDULE if config.refining else PLAIN_SCHEDULE
    size = len(batch.texts)
    words = model.tokenize(batch.texts)[0]
    word_dropout = torch.from_numpy(rng.random(words.shape) < WORD_DROPOUT) & (words > UNKNOWN)
    words = words.masked_fill(word_dropout, UNKNOWN)
    # One level from each of `size` equal parts: the batch always sees all levels.
    uniform = torch.from_numpy((rng.permutation(size) + rng.random(size)) / size).float()
    level = shift_noise(uniform, schedule.shift)
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    levels = level[:, None].repeat(1, 3)
    noisy = [add_noise(part, level, generator) for part in batch.clean]
    source = batch.source
    if source is not None:
        source = Source(*(perturb(part, generator) for part in source))
    if batch.task == Task.EDIT:
        levels[:, 1] = 0
        noisy[1] = perturb(batch.clean.motion, generator)
    given, guess = Codes(*noisy), None
    if config.refining:
        guess = Codes(*(torch.zeros_like(part) for part in given))
        if rng.random() < SELF_COND_PROBABILITY:
            with torch.no_grad():
                guess = model(words, given, levels, source, guess)
    prediction = model(words, given, levels, source, guess)
    weight = schedule.weights(level)
    content, motion, audio = (
        (per_clip(one - part) * weight).mean()
        for one, part in zip(prediction, batch.clean, strict=True)
    )
    difference = torch.diff(prediction.motion - batch.clean.motion, n=2, dim=1)
    jitter_loss = (per_clip(difference) * weight).mean()
    figures = {
        "content": float(content.detach()),
        "motion": float(motion.detach()),
        "sound": float(audio.detach()),
        "jitter": float(jitter_loss.detach()),
    }
    if batch.task == Task.EDIT:  # its motion is given
        figures = {"edit": figures["content"]}
        return CONTENT_WEIGHT * content + audio, figures
    return CONTENT_WEIGHT * content + motion + audio + JITTER_WEIGHT * jitter_loss, figures


def add_noise(part: Tensor, level: Tensor, generator: torch.Generator) -> Tensor:
    """(1 - t) x + t noise for every clip's level t, shapes (B, ...) and (B,)."""
    share = like(level, part)
    return (1 - share) * part + share * torch.randn(part.shape, generator=generator)


def perturb(part: Tensor, generator: torch.Generator) -> Tensor:
    """Codes as an encoder would have read them."""
    return part + CONDITION_NOISE * torch.randn(part.shape, generator=generator)


def per_clip(error: Tensor) -> Tensor:
    """Mean squared error of each clip, (B, ...) -> (B,)."""
    return error.float().square().flatten(1).mean(dim=1)


def make_optimizers(
    model: FoalTransformer, *, muon_rate: float, adam_rate: float
) -> tuple[torch.optim.Optimizer, ...]:
    """Muon for the matrices of the blocks, AdamW for all the rest."""
    matrices = [p for p in model.stream.parameters() if p.dim() == 2 and min(p.shape) > 4]
    ids = {id(p) for p in matrices}
    rest = [p for p in model.parameters() if id(p) not in ids]
    return (
        torch.optim.Muon(matrices, lr=muon_rate, weight_decay=0.0),
        torch.optim.AdamW(rest, lr=adam_rate, betas=(0.9, 0.98), weight_decay=0.0),
    )
