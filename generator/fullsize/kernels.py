"""Choose the fastest fused attention kernel, and compile the blocks."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from generator.backends.meter import Meter
from generator.foal.model.blocks import Block, fused_attention
from generator.fullsize.config import FullConfig
from generator.fullsize.layout import Layout
from generator.fullsize.model import FullModel

CANDIDATES = (SDPBackend.CUDNN_ATTENTION, SDPBackend.FLASH_ATTENTION)
TRIALS = 3
# Blocks of two kinds, stages of several sizes, attention of two kinds, and the decoder's layers at
# every level: more variants of one function than torch compiles by default.
RECOMPILE_LIMIT = 128


@contextmanager
def use_kernel(kernel: SDPBackend | None) -> Iterator[None]:
    """Prefer this attention kernel; None leaves the choice to torch."""
    if kernel is None:
        yield
        return
    # Never the unfused computation: its matrix of all pairs would not fit into memory.
    with sdpa_kernel([kernel, *CANDIDATES, SDPBackend.EFFICIENT_ATTENTION], set_priority=True):
        yield


def fastest_kernel(
    config: FullConfig, sizes: tuple[str, ...], device: torch.device, dtype: torch.dtype
) -> SDPBackend | None:
    """Time the fused kernels at the largest of these sizes; None on a CPU.

    Whether cuDNN's or the built-in kernel is faster depends on the card and on both versions.
    """
    if device.type != "cuda":
        return None
    tokens = max(Layout.of(config, config.sizes[name]).tokens for name in sizes)
    transformer = config.transformer
    query, key, value = (
        torch.randn(1, tokens, heads, transformer.head_dim, device=device, dtype=dtype)
        for heads in (transformer.heads, transformer.kv_heads, transformer.kv_heads)
    )
    times: dict[SDPBackend, float] = {}
    for kernel in CANDIDATES:
        try:
            with sdpa_kernel(kernel):
                times[kernel] = _time_attention(query, key, value)
        except RuntimeError:  # not supported by this card or this build
            continue
    return min(times, key=times.__getitem__) if times else None


def _time_attention(query: Tensor, key: Tensor, value: Tensor) -> float:
    """Seconds of the fastest of a few trials, after one to warm up."""
    parts = [part.transpose(1, 2) for part in (query, key, value)]
    fused_attention(*parts)
    torch.cuda.synchronize()
    times = []
    for _ in range(TRIALS):
        with Meter(on_gpu=True) as meter:
            fused_attention(*parts)
        times.append(meter.seconds)
    return min(times)


def compile_blocks(model: FullModel) -> None:
    """Compile the repeated block at its first run, once for each kind and size.

    Norms, rotary positions, gates and the scaling for FP8 become a few kernels in 16 bits.
    """
    torch._dynamo.config.recompile_limit = RECOMPILE_LIMIT
    torch._dynamo.config.accumulated_recompile_limit = RECOMPILE_LIMIT
    for block in model.stream.blocks:
        cast(Block, block).compile(dynamic=False, fullgraph=True)
