"""Few-step distillation: a student learns to go in one step where its teacher needs several.

Progressive distillation (Salimans and Ho 2022, section 3) on the noise levels that the few-step
schedule visits: from a clip with that much noise the teacher takes `SUBSTEPS` steps to the next
level, and the student is taught the clean codes that lead there in one.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from generator.foal.model.transformer import (
    NOISE_SHIFT,
    Codes,
    FoalTransformer,
    Source,
    like,
    predict,
    shift_noise,
    velocity,
)
from generator.foal.training.loop import Figures
from generator.foal.training.transformer_training import (
    CONTENT_WEIGHT,
    GUESS_SHARE,
    SMOOTH_WEIGHT,
    Batch,
    Task,
    add_noise,
    blur,
    per_clip,
)

SUBSTEPS = 3


def noise_levels(steps: int) -> list[float]:
    """Levels of a schedule of so many steps, from 1 down to 0, as the scheduler shifts them."""
    return [shift_noise(1 - i / steps, NOISE_SHIFT) for i in range(steps + 1)]


def distillation_loss(
    student: FoalTransformer,
    teacher: FoalTransformer,
    batch: Batch,
    rng: np.random.Generator,
    *,
    steps: int,
) -> tuple[Tensor, Figures]:
    """Error of the student's clean codes against where the teacher's steps lead."""
    config: Any = student.config
    refining = bool(config.refining)
    size = len(batch.texts)
    words = student.tokenize(batch.texts)[0]
    draw = torch.Generator().manual_seed(int(rng.integers(2**62)))
    which = rng.integers(steps, size=size)
    levels = np.array(noise_levels(steps), dtype=np.float32)
    high, low = (torch.from_numpy(levels[which + late]) for late in (0, 1))
    noisy = Codes(*(add_noise(part, high, draw) for part in batch.clean))
    source = None if batch.source is None else Source(*(blur(p, draw) for p in batch.source))
    kept = blur(batch.clean.motion, draw) if batch.task == Task.EDIT else None
    with torch.no_grad():
        reached, guess = noisy, None
        for i in range(SUBSTEPS):
            at = high + (low - high) * i / SUBSTEPS
            to = high + (low - high) * (i + 1) / SUBSTEPS
            clean = predict(teacher, words, reached, at, source, kept, guess)
            reached = Codes(
                *(
                    part + like(to - at, part) * velocity(part, one.float(), at)
                    for part, one in zip(reached, clean, strict=True)
                )
            )
            guess = clean if refining else None
        # The clean codes from which one step from `high` ends where the teacher's ended.
        share = high / (high - low)
        target = Codes(
            *(
                part - like(share, part) * (part - end)
                for part, end in zip(noisy, reached, strict=True)
            )
        )
    guess = None
    if refining and rng.random() < GUESS_SHARE:
        with torch.no_grad():
            guess = predict(student, words, noisy, high, source, kept)
    found = predict(student, words, noisy, high, source, kept, guess)
    content, motion, heard = (
        per_clip(one - part).mean() for one, part in zip(found, target, strict=True)
    )
    shake = per_clip(torch.diff(found.motion - target.motion, n=2, dim=1)).mean()
    figures = {"content": float(content.detach()), "sound": float(heard.detach())}
    if kept is not None:
        return CONTENT_WEIGHT * content + heard, figures
    figures |= {"motion": float(motion.detach()), "shake": float(shake.detach())}
    return CONTENT_WEIGHT * content + motion + heard + SMOOTH_WEIGHT * shake, figures
