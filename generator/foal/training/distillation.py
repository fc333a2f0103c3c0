"""Few-step distillation: a student learns to go in one step where its teacher needs several.

Progressive distillation (Salimans and Ho 2022, section 3) on the noise levels that the few-step
schedule visits: from a clip with that much noise the teacher takes `SUBSTEPS` steps to the next
level, and the student is taught the clean codes that lead there in one.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from generator.foal.model.noise_schedule import (
    SIGMA_SHIFT,
    expand_like,
    shifted_sigmas,
    velocity,
)
from generator.foal.model.transformer import FoalTransformer, Latents, Source, predict_clean
from generator.foal.training.loop import Figures
from generator.foal.training.transformer_training import (
    CONTENT_WEIGHT,
    JITTER_WEIGHT,
    SELF_COND_PROBABILITY,
    Batch,
    Task,
    add_noise,
    per_clip,
    perturb,
)

SUBSTEPS = 3


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
    self_conditioned = bool(config.self_cond)
    size = len(batch.texts)
    words = student.tokenize(batch.texts)[0]
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    which = rng.integers(steps, size=size)
    levels = np.array(shifted_sigmas(steps, SIGMA_SHIFT), dtype=np.float32)
    high, low = (torch.from_numpy(levels[which + late]) for late in (0, 1))
    noisy = Codes(*(add_noise(part, high, generator) for part in batch.clean))
    source = (
        None if batch.source is None else Source(*(perturb(p, generator) for p in batch.source))
    )
    kept = perturb(batch.clean.motion, generator) if batch.task == Task.EDIT else None
    with torch.no_grad():
        reached, self_cond = noisy, None
        for i in range(SUBSTEPS):
            at = high + (low - high) * i / SUBSTEPS
            to = high + (low - high) * (i + 1) / SUBSTEPS
            clean = predict_clean(teacher, words, reached, at, source, motion_cond, self_cond)
            reached = Latents(
                *(
                    part + expand_like(to - at, part) * velocity(part, one.float(), at)
                    for part, one in zip(reached, clean, strict=True)
                )
            )
            self_cond = clean if self_conditioned else None
        # The clean codes from which one step from `high` ends where the teacher's ended.
        share = high / (high - low)
        target = Latents(
            *(
                part - expand_like(share, part) * (part - end)
                for part, end in zip(noisy, reached, strict=True)
            )
        )
    guess = None
    if refining and rng.random() < SELF_COND_PROBABILITY:
        with torch.no_grad():
            guess = predict(student, words, noisy, high, source, kept)
    prediction = predict(student, words, noisy, high, source, kept, guess)
    content, motion, audio = (
        per_clip(one - part).mean() for one, part in zip(prediction, target, strict=True)
    )
    jitter_loss = per_clip(torch.diff(prediction.motion - target.motion, n=2, dim=1)).mean()
    figures = {"content": float(content.detach()), "sound": float(audio.detach())}
    if kept is not None:
        return CONTENT_WEIGHT * content + audio, figures
    figures |= {"motion": float(motion.detach()), "jitter": float(jitter_loss.detach())}
    return CONTENT_WEIGHT * content + motion + audio + JITTER_WEIGHT * jitter_loss, figures
