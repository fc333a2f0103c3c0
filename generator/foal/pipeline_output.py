"""What a Foal pipeline returns."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers.utils.outputs import BaseOutput
from PIL import Image


@dataclass
class FoalPipelineOutput(BaseOutput):
    """Clips with their sound.

    Attributes:
        frames: (B, F, H, W, 3) float32 in [0, 1], or "pt" (B, F, 3, H, W), or lists of pictures.
        audio: (B, 2, samples) float32 in [-1, 1] at `FoalPipeline.audio_sample_rate`.
        unknown_words: for each clip the words of its prompt that the model does not know.
    """

    frames: np.ndarray | torch.Tensor | list[list[Image.Image]]
    audio: torch.Tensor
    unknown_words: list[tuple[str, ...]]


def as_output(films: torch.Tensor, output_type: str) -> Any:
    """Films (B, F, H, W, 3) as a pipeline's caller asked for them: "np", "pt" or "pil"."""
    if output_type == "pt":
        return films.permute(0, 1, 4, 2, 3)
    pictures = films.cpu().numpy()
    if output_type == "np":
        return pictures
    whole = (pictures * 255 + 0.5).astype(np.uint8)
    return [[Image.fromarray(frame) for frame in film] for film in whole]
