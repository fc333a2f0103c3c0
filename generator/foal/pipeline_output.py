"""The output of the Foal pipeline."""

from dataclasses import dataclass

import numpy as np
import torch
from diffusers.utils.outputs import BaseOutput
from PIL import Image


@dataclass
class FoalPipelineOutput(BaseOutput):
    """Clips with sound.

    Attributes:
        frames: (B, F, H, W, 3) float32 in [0, 1]; with output type "pt" (B, F, 3, H, W), with "pil"
            lists of images, with "latent" the latents (B, latent_size).
        audio: (B, 2, samples) float32 in [-1, 1] at `FoalPipeline.audio_sample_rate`.
        unknown_words: for each clip the words of its prompt that the model does not know.
    """

    frames: np.ndarray | torch.Tensor | list[list[Image.Image]]
    audio: torch.Tensor
    unknown_words: list[tuple[str, ...]]
