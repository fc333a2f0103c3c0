"""How much memory a timing needs, estimated before anything is loaded."""

import torch

from generator.fullsize.config import FullConfig
from generator.fullsize.decode import ClipDecoder
from generator.fullsize.layout import Layout
from generator.fullsize.model import FullModel

BF16, FP8 = 2, 1  # bytes a number
# Maps of the size of a block's stream that live at once: the stream, its norm, the sum, a spare.
STREAMS = 4
# Maps of the decoder's last level that live at once: what its convolutions remember there and at
# the levels before, the norm in float32, the padded input, the result.
DECODER_MAPS = 20
SPARE = 1.1  # what the allocator loses between pieces, and the kernels' own workspaces


def needed_bytes(config: FullConfig, sizes: tuple[str, ...], decoder: str, *, float8: bool) -> int:
    """Memory for the weights and for the largest of these sizes; an estimate, on the safe side."""
    with torch.device("meta"):
        model = FullModel(config.transformer, padded=True)
        decoders = ClipDecoder(config, config.decoders[decoder])
    in_blocks = [sum(w.numel() for w in block.parameters()) for block in model.stream.blocks]
    others = sum(weight.numel() for weight in model.parameters()) - sum(in_blocks)
    others += sum(weight.numel() for weight in decoders.parameters())
    weights = sum(in_blocks) * (FP8 if float8 else BF16) + others * BF16
    if float8:  # one block at a time is made in 16 bits first, and turned over in 32
        weights += max(in_blocks) * 2 * BF16
    work = max(
        max(_stream_bytes(config, name), _decoder_bytes(config, name, decoder)) for name in sizes
    )
    return int((weights + work) * SPARE)


def _stream_bytes(config: FullConfig, name: str) -> int:
    """What a block holds at once: streams, queries with keys and values, the SwiGLU's halves."""
    transformer = config.transformer
    shape = transformer.shape(padded=True)
    heads = 3 * shape.heads + 6 * shape.kv_heads  # as projected, as turned, as mixed or laid out
    numbers = STREAMS * shape.dim + heads * shape.head_dim + 4 * shape.mlp_dim
    return Layout.of(config, config.sizes[name]).tokens * numbers * BF16


def _decoder_bytes(config: FullConfig, name: str, decoder: str) -> int:
    size = config.sizes[name]
    channels = config.decoders[decoder].channels
    pixels = size.width * size.height // 4 * 4 * size.chunk  # four frames a latent, halved sides
    frames = config.clip.frames * size.width * size.height * 3  # bytes on their way to the encoder
    return pixels * channels * BF16 * DECODER_MAPS + frames
