"""Large linear layers in FP8: weights stored in eight bits, inputs scaled on the fly.

e4m3 has a mantissa of three bits, so a single number is off by up to 6%; a sum of thousands of
products is off by much less. The error of the whole model is measured when it is built.
"""

import torch
from torch import Tensor, nn

from generator.foal.model.blocks import Block, ModalityLinear
from generator.fullsize.config import Scaling

FLOAT8 = torch.float8_e4m3fn
FLOAT8_MAX = torch.finfo(FLOAT8).max
MIN_SCALE = 1e-12  # avoids dividing a row of zeros by zero
FIRST_CAPABILITY = (8, 9)  # CUDA devices multiply FP8 from Ada on


def quantize(x: Tensor, scaling: Scaling) -> tuple[Tensor, Tensor]:
    """Quantize x (N, K) to FP8 and a float32 scale, (N, 1) by row or scalar: x = result * scale."""
    x = x.float()
    peak = x.abs().amax(dim=-1, keepdim=True) if scaling == "row" else x.abs().amax()
    scale = (peak / FLOAT8_MAX).clamp(min=MIN_SCALE)
    return (x / scale).to(FLOAT8), scale


class Float8Linear(nn.Module):
    """A linear layer without bias that multiplies in FP8; K and N must be multiples of 16."""

    weight: Tensor
    scale: Tensor

    def __init__(self, linear: nn.Linear, scaling: Scaling) -> None:
        super().__init__()
        self.scaling: Scaling = scaling
        weight, scale = quantize(linear.weight.detach(), scaling)
        self.register_buffer("weight", weight)  # (N, K)
        self.register_buffer("scale", scale.T.contiguous() if scaling == "row" else scale)

    def forward(self, x: Tensor) -> Tensor:
        """(..., K) -> (..., N)."""
        rows, scale = quantize(x.flatten(0, -2), self.scaling)
        if x.is_cuda:
            product: Tensor = torch._scaled_mm(
                rows,
                self.weight.T,
                scale_a=scale,
                scale_b=self.scale,
                out_dtype=x.dtype,
                use_fast_accum=True,
            )
        else:  # emulation on a CPU: the same numbers multiplied in float32
            product = ((rows.float() @ self.weight.float().T) * scale * self.scale).to(x.dtype)
        return product.view(*x.shape[:-1], -1)


def to_float8(block: Block, scaling: Scaling) -> None:
    """Replace a block's large linear layers; the gate is small and stays in bf16."""
    attn = block.attn
    for group in (attn.qkv_proj, attn.out_proj, block.up_gate_proj, block.down_proj):
        _replace(group, scaling)


def _replace(group: ModalityLinear, scaling: Scaling) -> None:
    for index, linear in enumerate(group.linears):
        if isinstance(linear, nn.Linear):
            group.linears[index] = Float8Linear(linear, scaling)
