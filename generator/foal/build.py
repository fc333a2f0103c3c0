"""Pipelines made from their parts: the trained one's folder, and a tiny random one for tests."""

from pathlib import Path

import torch
from diffusers.schedulers.scheduling_flow_match_euler_discrete import (
    FlowMatchEulerDiscreteScheduler,
)

from generator.foal.model import states
from generator.foal.model.codec import FoalCodec
from generator.foal.model.transformer import NOISE_SHIFT, FoalTransformer
from generator.foal.pipeline import FoalPipeline

LIVELY = 2.0  # times what random weights are: else they draw a grey that nothing moves in


def build_pipeline(codec: FoalCodec, transformer: FoalTransformer) -> FoalPipeline:
    """A pipeline of trained parts."""
    scheduler = FlowMatchEulerDiscreteScheduler(shift=NOISE_SHIFT)
    return FoalPipeline(codec=codec.eval(), transformer=transformer.eval(), scheduler=scheduler)


def build_transformer(**sizes: int) -> FoalTransformer:
    """A random transformer; `sizes` are width, layers, heads, kv_heads, hidden, outer."""
    made: FoalTransformer = FoalTransformer(
        parts=states.CONTENT_PARTS,
        part_size=states.PART_CODE,
        motion_size=states.MOTION_SIZE,
        sound_size=states.SOUND_SIZE,
        **sizes,
    )
    return made


def build_tiny_pipeline(seed: int = 0) -> FoalPipeline:
    """Foal with random weights at toy size: the same classes, ready in a moment."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        codec = FoalCodec(reader_width=8, field_hidden=16, shadow_hidden=8, plane_grid=16)
        sizes = {"width": 32, "layers": 3, "heads": 2, "kv_heads": 1, "hidden": 48, "outer": 1}
        transformer = build_transformer(**sizes)
    with torch.no_grad():
        for weights in codec.decoder.parameters():
            weights *= LIVELY
    return build_pipeline(codec, transformer)


def save_pipeline(pipeline: FoalPipeline, folder: Path, *, half: bool = True) -> None:
    """Write what `FoalPipeline.from_pretrained` reads: safetensors, in half precision if asked.

    The pipeline in memory keeps its precision.
    """
    pipeline.save_pretrained(folder, safe_serialization=True)
    if not half:
        return
    for name in ("codec", "transformer"):
        part = getattr(pipeline, name)
        smaller = type(part).from_config(part.config)
        smaller.load_state_dict(part.state_dict())
        smaller.half().save_pretrained(folder / name, safe_serialization=True)
