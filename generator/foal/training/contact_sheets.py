"""Contact sheets of samples as PNG: one row per clip, with its sound below."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from generator.files import atomic_write
from generator.foal.model import states
from generator.foal.model.codec import FoalCodec, denormalize
from generator.foal.model.latents import unpack
from generator.foal.world.clip import FRAME_RATE, FRAMES, held_out_captions, make_clip
from generator.foal.world.pictures import to_uint8
from generator.foal.world.sound import BANDS

if TYPE_CHECKING:
    from generator.foal.pipeline import FoalPipeline

SEED = 90_001
CLIPS = 8
PIXELS = 128
SHOWN_FRAMES = 9
SOUND_HEIGHT = 3  # pixels per band


def clip_row(frames: np.ndarray, bands: np.ndarray | None = None) -> np.ndarray:
    """Draw one row: frames (F, H, W, 3) in [0, 1] and bands (hops, BANDS) to a uint8 image."""
    chosen = frames[np.linspace(0, len(frames) - 1, SHOWN_FRAMES).astype(int)]
    row = np.concatenate(list(chosen), axis=1)
    if bands is not None:
        columns = np.linspace(0, len(bands) - 1, row.shape[1]).astype(int)
        stripe = np.clip(bands[columns].T[::-1], 0, 1).repeat(SOUND_HEIGHT, axis=0)
        row = np.concatenate([row, np.repeat(stripe[..., None], 3, axis=2)])
    return to_uint8(np.clip(row, 0, 1))


def save_sheet(path: Path, rows: list[np.ndarray]) -> None:
    """Write rows of equal width below each other as one PNG, atomically."""
    with atomic_write(path, durable=False) as file:
        Image.fromarray(np.concatenate(rows)).save(file, format="PNG")


def decoder_rows(codec: FoalCodec) -> list[np.ndarray]:
    """Held-out clips, each followed by its decoding from the true states."""
    return _side_by_side(codec, read=False)


def codec_rows(codec: FoalCodec) -> list[np.ndarray]:
    """Held-out clips, each followed by its reconstruction by the codec."""
    return _side_by_side(codec, read=True)


def _side_by_side(codec: FoalCodec, *, read: bool) -> list[np.ndarray]:
    rows = []
    for i in range(CLIPS):
        clip = make_clip(SEED + i, held_out=True)
        video = clip.frames(height=PIXELS, width=PIXELS)
        true = states.encode_states(clip.scene, clip.motions)
        codes = torch.from_numpy(true.content)[None], torch.from_numpy(true.motion)[None]
        content, motion = codec.encode(video) if read else codes
        decoded = codec.decode(content, motion, height=PIXELS, width=PIXELS)[0]
        rows += [clip_row(video), clip_row(decoded.float().numpy())]
    return rows


def model_rows(pipeline: "FoalPipeline", steps: int) -> list[np.ndarray]:
    """Samples of a pipeline for held-out captions, with their sound."""
    rows = []
    for i, text in enumerate(held_out_captions(SEED, CLIPS)):
        generator = torch.Generator().manual_seed(SEED + i)
        latent: Any = pipeline(
            text,
            generator=generator,
            output_type="latent",
            num_inference_steps=steps,
            height=PIXELS,
            width=PIXELS,
            return_dict=False,
        )[0]
        video, _ = pipeline.decode_latents(
            latent, height=PIXELS, width=PIXELS, num_frames=FRAMES, frame_rate=FRAME_RATE
        )
        sqrt_bands = denormalize(unpack(latent))[2]
        rows.append(
            clip_row(video[0].numpy(), sqrt_bands[0].reshape(-1, BANDS).clamp(min=0).numpy())
        )
    return rows
