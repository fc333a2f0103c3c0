"""Large linear maps in FP8: weights kept in eight bits, inputs scaled as they come.

e4m3 has three bits of mantissa, so a single number is off by up to 6%; a sum over thousands of
products is off by much less. How much it is for the whole model is measured when it is built.
"""

import torch
from torch import Tensor, nn

from generator.foal.model.blocks import Block, ModalityLinear
from generator.fullsize.config import Scaling

FLOAT8 = torch.float8_e4m3fn
LARGEST = torch.finfo(FLOAT8).max
LEAST_SCALE = 1e-12  # a row of zeros stays zeros
FIRST_CAPABILITY = (8, 9)  # of CUDA devices: from Ada on they multiply FP8


def quantize(x: Tensor, scaling: Scaling) -> tuple[Tensor, Tensor]:
    """X (N, K) as FP8 and the float32 scale that gives it back: (N, 1) by row, or one number."""
    x = x.float()
    peak = x.abs().amax(dim=-1, keepdim=True) if scaling == "row" else x.abs().amax()
    scale = (peak / LARGEST).clamp(min=LEAST_SCALE)
    return (x / scale).to(FLOAT8), scale


class Float8Linear(nn.Module):
    """A linear map without bias whose product is of FP8 numbers; K and N are multiples of 16."""

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
        else:  # no such kernel: the same numbers multiplied in float32
            product = ((rows.float() @ self.weight.float().T) * scale * self.scale).to(x.dtype)
        return product.view(*x.shape[:-1], -1)


def to_float8(block: Block, scaling: Scaling) -> None:
    """Replace a block's large maps; the gate's 40 columns are no work and stay as they are."""
    attn = block.attn
    for group in (attn.qkv_proj, attn.out_proj, block.up_gate_proj, block.down_proj):
        _replace(group, scaling)


def _replace(group: ModalityLinear, scaling: Scaling) -> None:
    for index, linear in enumerate(group.linears):
        if isinstance(linear, nn.Linear):
            group.linears[index] = Float8Linear(linear, scaling)
