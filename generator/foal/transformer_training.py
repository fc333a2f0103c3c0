"""Training of the transformer: flow matching on the codes of the world's clips."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor

from generator.foal.captions import describe
from generator.foal.checkpoints import load_checkpoint, save_checkpoint
from generator.foal.codec import ENCODER_PIXELS, FoalCodec
from generator.foal.loop import Figures
from generator.foal.model import UNKNOWN, FoalTransformer
from generator.foal.pipeline import SOUND_SIZE
from generator.foal.world import FRAMES, make_clip

logger = logging.getLogger(__name__)

SHIFT = 2.0  # of the noise levels towards noise, as the scheduler's
LEAST_LEVEL = 0.25  # the loss is divided by the squared level, at least this
CONTENT_WEIGHT = 0.5
SMOOTH_WEIGHT = 1.0  # of errors in second differences of motion: what an eye sees as shaking
FORGET_SHARE = 0.03  # of words replaced by the unknown one, so that a strange word does no harm
WORDINGS = 8  # captions kept a clip
SHARD_CLIPS = 512  # clips whose codes are made and saved at once


@dataclass(frozen=True)
class CodeBook:
    """Codes of N clips with captions: normalised, ready for the transformer."""

    content: Tensor  # (N, C)
    motion: Tensor  # (N, F, 8)
    sound: Tensor  # (N, F, S)
    words: Tensor  # (N, WORDINGS, words)

    def __len__(self) -> int:
        return len(self.content)


def make_codes(
    codec: FoalCodec, transformer: FoalTransformer, folder: Path, *, clips: int, seed: int
) -> CodeBook:
    """Codes of `clips` training clips, made in shards that a killed run does not make again.

    Sets the codec's statistics from them.
    """
    shards = []
    numbers = range(0, clips, SHARD_CLIPS)
    for first in track(numbers, "codes of clips", console=Console(stderr=True)):
        path = folder / f"codes-{first:06d}.pt"
        count = min(SHARD_CLIPS, clips - first)
        shard = load_checkpoint(path)
        if shard is None:
            shard = _encode(codec, transformer, range(first, first + count), seed)
            save_checkpoint(path, shard)
        shards.append(shard)
    raw = {name: torch.cat([shard[name] for shard in shards]) for name in shards[0]}
    codec.set_statistics(raw["content"], raw["motion"], raw["sound"])
    codes = codec.normalize(raw["content"], raw["motion"], raw["sound"])
    return CodeBook(*codes, words=raw["words"])


@torch.no_grad()
def _encode(
    codec: FoalCodec, transformer: FoalTransformer, numbers: range, seed: int
) -> dict[str, Tensor]:
    rows: dict[str, list[Tensor]] = {name: [] for name in ("content", "motion", "sound", "words")}
    for number in numbers:
        rng = np.random.default_rng((seed, 2, number))
        clip = make_clip(rng)
        frames = clip.frames(height=ENCODER_PIXELS, width=ENCODER_PIXELS)
        codes = codec.encode(torch.from_numpy(frames).permute(0, 3, 1, 2)[None])
        rows["content"].append(codes.content.float())
        rows["motion"].append(codes.motion.float())
        rows["sound"].append(torch.from_numpy(clip.bands).sqrt().reshape(1, FRAMES, SOUND_SIZE))
        texts = [describe(clip.scene, rng) for _ in range(WORDINGS)]
        rows["words"].append(transformer.tokenize(texts)[0][None])
    return {name: torch.cat(parts) for name, parts in rows.items()}


def flow_loss(
    model: FoalTransformer, book: CodeBook, rng: np.random.Generator, batch: int
) -> tuple[Tensor, Figures]:
    """Loss of one batch drawn with `rng`: squared error of the clean codes, by noise level."""
    chosen = torch.from_numpy(rng.integers(len(book), size=batch))
    words = book.words[chosen, torch.from_numpy(rng.integers(WORDINGS, size=batch))]
    forgotten = torch.from_numpy(rng.random(words.shape) < FORGET_SHARE) & (words > UNKNOWN)
    words = words.masked_fill(forgotten, UNKNOWN)
    # One level from each of `batch` equal parts: the batch always sees all levels.
    even = torch.from_numpy((rng.permutation(batch) + rng.random(batch)) / batch).float()
    level = SHIFT * even / (1 + (SHIFT - 1) * even)
    noise = torch.Generator().manual_seed(int(rng.integers(2**62)))
    clean = (book.content[chosen], book.motion[chosen], book.sound[chosen])
    noisy = []
    for part in clean:
        share = level.reshape(-1, *[1] * (part.dim() - 1))
        noisy.append((1 - share) * part + share * torch.randn(part.shape, generator=noise))
    guesses = model(words, *noisy, level)
    weight = 1 / level.clamp(min=LEAST_LEVEL) ** 2
    losses = [
        ((guess.float() - part).square().flatten(1).mean(dim=1) * weight).mean()
        for guess, part in zip(guesses, clean, strict=True)
    ]
    content, motion, sound = losses
    shake = torch.diff(guesses[1].float() - clean[1], n=2, dim=1).square().flatten(1).mean(dim=1)
    shake = (shake * weight).mean()
    figures = {
        "content": float(content.detach()),
        "motion": float(motion.detach()),
        "sound": float(sound.detach()),
        "shake": float(shake.detach()),
    }
    return CONTENT_WEIGHT * content + motion + sound + SMOOTH_WEIGHT * shake, figures


def make_optimizers(
    model: FoalTransformer, *, muon_rate: float, adam_rate: float
) -> tuple[torch.optim.Optimizer, ...]:
    """Muon for the matrices of the blocks, AdamW for all the rest."""
    matrices = [p for p in model.blocks.parameters() if p.dim() == 2 and min(p.shape) > 4]
    ids = {id(p) for p in matrices}
    rest = [p for p in model.parameters() if id(p) not in ids]
    return (
        torch.optim.Muon(matrices, lr=muon_rate, weight_decay=0.0),
        torch.optim.AdamW(rest, lr=adam_rate, betas=(0.9, 0.98), weight_decay=0.0),
    )
