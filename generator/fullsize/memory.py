"""Estimate the memory that a timing needs, before anything is built."""

import torch

from generator.fullsize.config import FullConfig
from generator.fullsize.decode import ClipDecoder
from generator.fullsize.layout import Layout
from generator.fullsize.model import FullModel

BF16, FP8 = 2, 1  # bytes per number
# Tensors of shape (T, D) alive at once in a block: residual, norm, sum, one more for safety.
RESIDUALS = 4
# Feature maps of the decoder's last level alive at once: the caches of its convolutions there and
# at the levels before, the norm in float32, the padded input, the result.
DECODER_MAPS = 20
OVERHEAD = 1.1  # fragmentation and the workspaces of kernels


def needed_bytes(config: FullConfig, sizes: tuple[str, ...], decoder: str, *, float8: bool) -> int:
    """Memory for the weights and the largest of these sizes in bytes, estimated conservatively."""
    with torch.device("meta"):
        model = FullModel(config.transformer, padded=True)
        decoders = ClipDecoder(config, config.decoders[decoder])
    in_blocks = [sum(w.numel() for w in block.parameters()) for block in model.stream.blocks]
    others = sum(weight.numel() for weight in model.parameters()) - sum(in_blocks)
    others += sum(weight.numel() for weight in decoders.parameters())
    weights = sum(in_blocks) * (FP8 if float8 else BF16) + others * BF16
    if float8:  # one block at a time is built in 16 bits first, and converted in 32
        weights += max(in_blocks) * 2 * BF16
    work = max(
        max(_stream_bytes(config, name), _decoder_bytes(config, name, decoder)) for name in sizes
    )
    return int((weights + work) * OVERHEAD)


def _stream_bytes(config: FullConfig, name: str) -> int:
    """Activations alive at once in a block: residuals, queries, keys and values, the MLP."""
    transformer = config.transformer
    shape = transformer.shape(padded=True)
    heads = 3 * shape.heads + 6 * shape.kv_heads  # projected, rotated, and mixed or with copies
    numbers = RESIDUALS * shape.dim + heads * shape.head_dim + 4 * shape.mlp_dim
    return Layout.of(config, config.sizes[name]).tokens * numbers * BF16


def _decoder_bytes(config: FullConfig, name: str, decoder: str) -> int:
    size = config.sizes[name]
    channels = config.decoders[decoder].channels
    # The decoder outputs four frames per latent at half the height and width.
    pixels = size.width * size.height // 4 * 4 * size.chunk
    # Frames that wait for the video encoder.
    frames = config.clip.frames * size.width * size.height * 3
    return pixels * channels * BF16 * DECODER_MAPS + frames
