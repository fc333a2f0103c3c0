"""Foal's codec: a clip becomes one content code and one motion code a frame, and back.

The codes are the renderer's states (`states`): the encoder (`reader`) learns to read them off
pictures of 128 x 128, the decoder (`fields`) to draw them at any size. Sound needs no network: its
tokens are square roots of band envelopes.
"""

import numpy as np
import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor
from torch.nn import functional

from generator.foal.model import states
from generator.foal.model.compositor import draw_film
from generator.foal.model.neural_fields import SceneDecoder
from generator.foal.model.scene_encoder import PIXELS, Reader, read_clip
from generator.foal.model.transformer import Codes


class FoalCodec(ModelMixin, ConfigMixin):
    """Encoder and decoder of pictures; `form` ties a transformer to the codes it was trained on."""

    config_name = "config.json"  # type: ignore[assignment]

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        reader_width: int = 64,
        field_hidden: int = 64,
        shadow_hidden: int = 32,
        plane_channels: int = 12,
        plane_grid: int = 160,
        form: str = states.FORM,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.reader = Reader(reader_width)
        self.decoder = SceneDecoder(
            hidden=field_hidden,
            shadow_hidden=shadow_hidden,
            channels=plane_channels,
            grid=plane_grid,
        )

    def encode(self, film: np.ndarray) -> tuple[Tensor, Tensor]:
        """Read a clip or an image: (F, H, W, 3) uint8 or float in [0, 1].

        Of another shape than a square its middle is read, at its full height.

        Returns:
            Content (1, parts, part_size) and motion (1, F, motion_size), as states.
        """
        pictures = torch.from_numpy(np.array(film)).permute(0, 3, 1, 2).to(self.device)
        scale = 255 if film.dtype == np.uint8 else 1
        pictures = to_square(pictures.float() / scale)
        read = read_clip(self.reader, pictures.to(self.dtype))
        return torch.from_numpy(read.content)[None], torch.from_numpy(read.motion)[None]

    def decode(self, content: Tensor, motion: Tensor, *, height: int, width: int) -> Tensor:
        """Films (B, F, height, width, 3) in [0, 1] of states (B, ...) and (B, F, motion_size)."""
        films = [
            draw_film(self.decoder, one, moves, height=height, width=width)
            for one, moves in zip(content, motion, strict=True)
        ]
        return torch.stack(films)


def to_square(pictures: Tensor) -> Tensor:
    """Pictures (F, 3, H, W) as the reader sees them, (F, 3, PIXELS, PIXELS)."""
    height, width = pictures.shape[2:]
    if width < height:
        pad = (height - width + 1) // 2
        pictures = functional.pad(pictures, (pad, pad, 0, 0), mode="replicate")
        width = pictures.shape[3]
    left = (width - height) // 2
    pictures = pictures[..., left : left + height]
    return functional.interpolate(pictures, size=(PIXELS, PIXELS), mode="area")


def normalize(content: Tensor, motion: Tensor, sound: Tensor) -> Codes:
    """States as the transformer sees them, about of deviation 1."""
    return Codes(
        content / states.CONTENT_DEVIATION,
        motion / states.MOTION_DEVIATION,
        sound / states.SOUND_DEVIATION,
    )


def denormalize(codes: Codes) -> tuple[Tensor, Tensor, Tensor]:
    """The inverse of `normalize`."""
    return (
        codes.content * states.CONTENT_DEVIATION,
        codes.motion * states.MOTION_DEVIATION,
        codes.sound * states.SOUND_DEVIATION,
    )


def read_at(motion: Tensor, at: Tensor) -> Tensor:
    """Motion codes (B, F, n) at moments `at`, in frames, between whose neighbours they lie."""
    low = at.floor().long().clamp(max=motion.shape[1] - 1)
    high = (low + 1).clamp(max=motion.shape[1] - 1)
    share = (at - low)[None, :, None]
    return motion[:, low] * (1 - share) + motion[:, high] * share
