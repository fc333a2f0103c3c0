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
    SELF_COND_SHARE,
    SMOOTH_WEIGHT,
    Batch,
    Task,
    add_noise,
    blur,
    per_clip,
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
    draw = torch.Generator().manual_seed(int(rng.integers(2**62)))
    which = rng.integers(steps, size=size)
    levels = np.array(shifted_sigmas(steps, SIGMA_SHIFT), dtype=np.float32)
    high, low = (torch.from_numpy(levels[which + late]) for late in (0, 1))
    noisy = Latents(*(add_noise(part, high, draw) for part in batch.clean))
    source = None if batch.source is None else Source(*(blur(p, draw) for p in batch.source))
    motion_cond = blur(batch.clean.motion, draw) if batch.task == Task.EDIT else None
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
    self_cond = None
    if self_conditioned and rng.random() < SELF_COND_SHARE:
        with torch.no_grad():
            self_cond = predict_clean(student, words, noisy, high, source, motion_cond)
    found = predict_clean(student, words, noisy, high, source, motion_cond, self_cond)
    content, motion, heard = (
        per_clip(one - part).mean() for one, part in zip(found, target, strict=True)
    )
    shake = per_clip(torch.diff(found.motion - target.motion, n=2, dim=1)).mean()
    figures = {"content": float(content.detach()), "sound": float(heard.detach())}
    if motion_cond is not None:
        return CONTENT_WEIGHT * content + heard, figures
    figures |= {"motion": float(motion.detach()), "shake": float(shake.detach())}
    return CONTENT_WEIGHT * content + motion + heard + SMOOTH_WEIGHT * shake, figures
