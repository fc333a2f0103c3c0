"""Foal with random weights at toy size: the real classes, built in a moment."""

import torch

from generator.foal.build import build_pipeline, build_transformer
from generator.foal.model.codec import FoalCodec
from generator.foal.pipeline import FoalPipeline

TINY_SIZES = {
    "dim": 32,
    "layers": 3,
    "heads": 2,
    "kv_heads": 1,
    "mlp_dim": 48,
    "modality_layers": 1,
}
DECODER_GAIN = 2.0  # of random weights; without it the decoder renders grey without motion


def build_tiny_pipeline(seed: int = 0) -> FoalPipeline:
    """A tiny Foal pipeline; the global random state is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        codec = FoalCodec(encoder_dim=8, field_hidden=16, shadow_hidden=8, plane_rows=16)
        transformer = build_transformer(**TINY_SIZES)
    with torch.no_grad():
        for weights in codec.decoder.parameters():
            weights *= DECODER_GAIN
    return build_pipeline(codec, transformer)
