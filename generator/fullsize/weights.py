"""Create random weights on the device, and count parameters.

The model is built on the meta device and filled block by block on its device, so that nothing
passes through the CPU and in FP8 only one block at a time exists in 16 bits.
"""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from generator.foal.model.blocks import Block
from generator.fullsize.attention import layer_attentions
from generator.fullsize.config import FullConfig, Scaling, Transformer
from generator.fullsize.float8 import to_float8
from generator.fullsize.layout import Layout, rotary
from generator.fullsize.model import FullModel

ZEROED = ("bias", "alpha", "beta")  # alpha and beta are logarithms in Stable Audio's decoder


@dataclass(frozen=True)
class Parameters:
    """Parameter counts of a model.

    Attributes:
        stored: in the blocks.
        active: in the blocks, as far as one token uses them: those of its modality.
        whole: in the blocks, the input and the output layers.
    """

    stored: int
    active: int
    whole: int


@dataclass(frozen=True)
class Float8Error:
    """Relative error of FP8 against bf16, as Euclidean norms.

    Attributes:
        blocks: after every block, of what all blocks so far added to the residual stream.
        video: of the predicted velocity of video.
        sound: of the predicted velocity of sound.
    """

    blocks: tuple[float, ...]
    video: float
    sound: float


def count_parameters(transformer: Transformer) -> Parameters:
    """Count parameters without allocating them and without the padding of the MLP."""
    with torch.device("meta"):
        model = FullModel(transformer, padded=False)
    stored = sum(weight.numel() for weight in model.stream.blocks.parameters())
    active = sum(
        weight.numel()
        for name, weight in model.stream.blocks.named_parameters()
        if ".linears." not in name or ".linears.0." in name
    )
    return Parameters(stored, active, sum(weight.numel() for weight in model.parameters()))


@torch.no_grad()
def init_random(module: nn.Module, generator: torch.Generator) -> None:
    """Initialize: matrices and kernels preserve variance, norms are 1, biases 0."""
    for name, weight in module.named_parameters():
        inputs = weight.numel() // max(1, weight.shape[0])
        if name.rpartition(".")[2] in ZEROED:
            weight.zero_()
        elif inputs > 1:
            weight.normal_(std=inputs**-0.5, generator=generator)
        else:
            weight.fill_(1)


def materialize(module: nn.Module, device: torch.device, dtype: torch.dtype, seed: int) -> None:
    """Give a module on the meta device random weights on a device."""
    module.to(dtype).to_empty(device=device)
    init_random(module, torch.Generator(device).manual_seed(seed))
    module.eval().requires_grad_(False)


@torch.no_grad()
def _scale_block(block: Block, transformer: Transformer) -> None:
    """Zero the padding of the MLP, and scale outputs so that depth does not amplify them."""
    for up_gate in block.up_gate_proj.parameters():
        for half in up_gate.chunk(2):
            half[transformer.mlp_dim :].zero_()
    for down in block.down_proj.parameters():
        down[:, transformer.mlp_dim :].zero_()
        down.mul_((2 * transformer.layers) ** -0.5)
    for out in block.attn.out_proj.parameters():
        out.mul_((2 * transformer.layers) ** -0.5)


@torch.no_grad()
def build_model(
    config: FullConfig,
    device: torch.device,
    dtype: torch.dtype,
    *,
    float8: Scaling | None = None,
    seed: int = 0,
) -> tuple[FullModel, Float8Error | None]:
    """Build the model with random weights; with FP8, also return its error against bf16.

    The error is that of one prediction at the base stage's size from random inputs, computed in
    both precisions block by block while the blocks are built.
    """
    with torch.device("meta"):
        model = FullModel(config.transformer, padded=True)
    blocks = [cast(Block, block) for block in model.stream.blocks]
    model.stream.blocks = nn.ModuleList()
    materialize(model, device, dtype, seed)
    probe = _Probe(model, config, device, dtype, seed) if float8 else None
    for index, block in enumerate(blocks):
        materialize(block, device, dtype, seed + 1 + index)
        _scale_block(block, config.transformer)
        if float8 and probe:
            probe.run_exact(block, index)
            to_float8(block, float8)
            probe.run_float8(block, index)
        model.stream.blocks.append(block)
    return model, probe.error(model) if probe else None


class _Probe:
    """One prediction computed in bf16 and in FP8."""

    def __init__(
        self,
        model: FullModel,
        config: FullConfig,
        device: torch.device,
        dtype: torch.dtype,
        seed: int,
    ) -> None:
        layout = Layout.of(config, config.sizes[config.base.size])
        transformer = config.transformer
        channels = (
            transformer.text_channels,
            transformer.video_channels,
            transformer.sound_channels,
        )
        generator = torch.Generator(device).manual_seed(seed)
        text, video, sound = (
            torch.randn(1, length, width, device=device, dtype=dtype, generator=generator)
            for length, width in zip(layout.lengths, channels, strict=True)
        )
        self.lengths = layout.lengths
        self.rotary_angles = rotary(layout, transformer.head_dim, device, dtype)
        self.attentions = layer_attentions(transformer, layout, 0)
        self.start = model.embed(text, video, sound)
        self.exact = self.float8 = self.start
        self.errors: list[float] = []

    def run_exact(self, block: nn.Module, index: int) -> None:
        self.exact = block(self.exact, self.lengths, self.rotary_angles, self.attentions[index])

    def run_float8(self, block: nn.Module, index: int) -> None:
        self.float8 = block(self.float8, self.lengths, self.rotary_angles, self.attentions[index])
        self.errors.append(distance(self.float8 - self.start, self.exact - self.start))

    def error(self, model: FullModel) -> Float8Error:
        pairs = zip(
            model.project(self.float8, self.lengths),
            model.project(self.exact, self.lengths),
            strict=True,
        )
        video, sound = (distance(float8, exact) for float8, exact in pairs)
        return Float8Error(tuple(self.errors), video, sound)


def distance(x: Tensor, reference: Tensor) -> float:
    """Relative error: norm of the difference over norm of the reference."""
    return float((x.float() - reference.float()).norm() / reference.float().norm())
