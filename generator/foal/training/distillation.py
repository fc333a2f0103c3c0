"""Few-step distillation: a student learns to do in one step what its teacher does in several.

Progressive distillation (Salimans and Ho 2022, section 3) at the noise levels of the few-step
schedule: the teacher takes `SUBSTEPS` steps from one level to the next, and the student learns to
predict the clean latents that lead there in one step.
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
    SELF_COND_SHARE,
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
    """Error of the student's clean latents against those implied by the teacher's steps."""
    config: Any = student.config
    self_conditioned = bool(config.self_cond)
    size = len(batch.texts)
    words = student.tokenize(batch.texts)[0]
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    index = rng.integers(steps, size=size)
    levels = np.array(shifted_sigmas(steps, SIGMA_SHIFT), dtype=np.float32)
    high, low = (torch.from_numpy(levels[index + offset]) for offset in (0, 1))
    noisy = Latents(*(add_noise(part, high, generator) for part in batch.clean))
    source = (
        None if batch.source is None else Source(*(perturb(p, generator) for p in batch.source))
    )
    motion_cond = perturb(batch.clean.motion, generator) if batch.task == Task.EDIT else None
    with torch.no_grad():
        current, self_cond = noisy, None
        for i in range(SUBSTEPS):
            start_level = high + (low - high) * i / SUBSTEPS
            end_level = high + (low - high) * (i + 1) / SUBSTEPS
            clean = predict_clean(
                teacher, words, current, start_level, source, motion_cond, self_cond
            )
            current = Latents(
                *(
                    part
                    + expand_like(end_level - start_level, part)
                    * velocity(part, clean_part.float(), start_level)
                    for part, clean_part in zip(current, clean, strict=True)
                )
            )
            self_cond = clean if self_conditioned else None
        # The clean latents with index a single step from `high` ends where the teacher's steps did.
        share = high / (high - low)
        target = Latents(
            *(
                part - expand_like(share, part) * (part - end)
                for part, end in zip(noisy, current, strict=True)
            )
        )
    self_cond = None
    if self_conditioned and rng.random() < SELF_COND_SHARE:
        with torch.no_grad():
            self_cond = predict_clean(student, words, noisy, high, source, motion_cond)
    prediction = predict_clean(student, words, noisy, high, source, motion_cond, self_cond)
    content, motion, audio = (
        per_clip(predicted - part).mean()
        for predicted, part in zip(prediction, target, strict=True)
    )
    jitter_loss = per_clip(torch.diff(prediction.motion - target.motion, n=2, dim=1)).mean()
    figures = {"content": float(content.detach()), "sound": float(audio.detach())}
    if motion_cond is not None:
        return CONTENT_WEIGHT * content + audio, figures
    figures |= {"motion": float(motion.detach()), "jitter": float(jitter_loss.detach())}
    return CONTENT_WEIGHT * content + motion + audio + JITTER_WEIGHT * jitter_loss, figures
