"""Foal's codec: clips to content and motion latents, and back at any resolution.

The latents are the state of the world's renderer (`states`). The encoder (`scene_encoder`) learns
to read it from images of 128 x 128, the decoder (`neural_fields`, `compositor`) to render it.
Sound needs no network: its latents are square roots of band envelopes.
"""

import numpy as np
import torch
from diffusers.configuration_utils import register_to_config
from torch import Tensor
from torch.nn import functional

from generator.foal.model import states
from generator.foal.model.base import FoalModel
from generator.foal.model.compositor import render_clip
from generator.foal.model.neural_fields import SceneDecoder
from generator.foal.model.scene_encoder import IMAGE_SIZE, SceneEncoder, encode_clip
from generator.foal.model.transformer import Latents


class FoalCodec(FoalModel):
    """Encoder and decoder of pictures.

    Args:
        encoder_dim: channels of the scene encoder.
        field_hidden: hidden units of the background and sprite fields.
        shadow_hidden: hidden units of the shadow and rope fields.
        plane_channels: channels of the background's feature plane.
        plane_rows: rows of the background's feature plane.
        latent_format: what the numbers of the latents mean; must match the transformer's.
    """

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        encoder_dim: int = 64,
        field_hidden: int = 64,
        shadow_hidden: int = 32,
        plane_channels: int = 12,
        plane_rows: int = 160,
        latent_format: str = states.LATENT_FORMAT,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.encoder = SceneEncoder(encoder_dim)
        self.decoder = SceneDecoder(
            hidden=field_hidden,
            shadow_hidden=shadow_hidden,
            channels=plane_channels,
            rows=plane_rows,
        )

    def encode(self, frames: np.ndarray) -> tuple[Tensor, Tensor]:
        """Encode a clip or an image, (F, H, W, 3) uint8 or float in [0, 1].

        Of pictures that are not square the centre is read, at full height.

        Returns:
            Content (1, CONTENT_TOKENS, CONTENT_DIM) and motion (1, F, MOTION_DIM), not normalized.
        """
        pictures = torch.from_numpy(np.array(frames)).permute(0, 3, 1, 2).to(self.device)
        scale = 255 if frames.dtype == np.uint8 else 1
        pictures = crop_to_square(pictures.float() / scale)
        state = encode_clip(self.encoder, pictures.to(self.dtype))
        return torch.from_numpy(state.content)[None], torch.from_numpy(state.motion)[None]

    def decode(self, content: Tensor, motion: Tensor, *, height: int, width: int) -> Tensor:
        """Render clips, (B, F, height, width, 3) in [0, 1], from latents that are not normalized.

        Args:
            content: (B, CONTENT_TOKENS, CONTENT_DIM).
            motion: (B, F, MOTION_DIM).
            height: of the pictures in pixels.
            width: of the pictures in pixels.
        """
        clips = [
            render_clip(self.decoder, clip_content, clip_motion, height=height, width=width)
            for clip_content, clip_motion in zip(content, motion, strict=True)
        ]
        return torch.stack(clips)


def crop_to_square(pictures: Tensor) -> Tensor:
    """Resize pictures (F, 3, H, W) to the encoder's input, (F, 3, IMAGE_SIZE, IMAGE_SIZE).

    Wide pictures are cropped to their centre, tall ones padded by their border.
    """
    height, width = pictures.shape[2:]
    if width < height:
        pad = (height - width + 1) // 2
        pictures = functional.pad(pictures, (pad, pad, 0, 0), mode="replicate")
        width = pictures.shape[3]
    left = (width - height) // 2
    pictures = pictures[..., left : left + height]
    return functional.interpolate(pictures, size=(IMAGE_SIZE, IMAGE_SIZE), mode="area")


def normalize(content: Tensor, motion: Tensor, sound: Tensor) -> Latents:
    """Scale latents to a standard deviation of about 1, as the transformer sees them."""
    return Latents(
        content / states.CONTENT_STD,
        motion / states.MOTION_STD,
        sound / states.SOUND_STD,
    )


def denormalize(latents: Latents) -> tuple[Tensor, Tensor, Tensor]:
    """The inverse of `normalize`."""
    return (
        latents.content * states.CONTENT_STD,
        latents.motion * states.MOTION_STD,
        latents.sound * states.SOUND_STD,
    )


def interpolate_motion(motion: Tensor, times: Tensor) -> Tensor:
    """Interpolate motion (B, F, n) linearly at `times` in frames, (N,) -> (B, N, n)."""
    before = times.floor().long().clamp(max=motion.shape[1] - 1)
    after = (before + 1).clamp(max=motion.shape[1] - 1)
    fraction = (times - before)[None, :, None]
    return motion[:, before] * (1 - fraction) + motion[:, after] * fraction
