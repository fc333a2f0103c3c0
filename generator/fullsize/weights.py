"""Random weights made where they are used, and what they weigh.

Nothing passes through the CPU: the model is laid out without memory and filled block by block on
the device, so that in FP8 only one block ever exists in 16 bits.
"""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from generator.foal.model.blocks import Block
from generator.fullsize.attention import plan
from generator.fullsize.config import FullConfig, Scaling, Transformer
from generator.fullsize.float8 import to_float8
from generator.fullsize.layout import Layout, rotary
from generator.fullsize.model import FullModel

ZEROED = ("bias", "alpha", "beta")  # alpha and beta are logarithms in Stable Audio's decoder


@dataclass(frozen=True)
class Parameters:
    """How many numbers a model holds.

    Attributes:
        stored: of the blocks.
        active: of the blocks that one token passes: its own modality's where they differ.
        whole: of the blocks and the maps in and out.
    """

    stored: int
    active: int
    whole: int


@dataclass(frozen=True)
class Float8Error:
    """How far FP8 is from bf16: size of the difference over size of the bf16 result.

    Attributes:
        blocks: after every block, of what it and those before it added to the stream.
        video: of the predicted velocity of video.
        sound: of sound.
    """

    blocks: tuple[float, ...]
    video: float
    sound: float


def count_parameters(transformer: Transformer) -> Parameters:
    """Count without making them, and without the padding of the hidden width."""
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
def fill_randomly(module: nn.Module, generator: torch.Generator) -> None:
    """Matrices and kernels keep the size of what passes; norms begin at one, biases at zero."""
    for name, weight in module.named_parameters():
        inputs = weight.numel() // max(1, weight.shape[0])
        if name.rpartition(".")[2] in ZEROED:
            weight.zero_()
        elif inputs > 1:
            weight.normal_(std=inputs**-0.5, generator=generator)
        else:
            weight.fill_(1)


def make_on(module: nn.Module, device: torch.device, dtype: torch.dtype, seed: int) -> None:
    """Give a module without memory random weights on a device."""
    module.to(dtype).to_empty(device=device)
    fill_randomly(module, torch.Generator(device).manual_seed(seed))
    module.eval().requires_grad_(False)


@torch.no_grad()
def _finish_block(block: Block, transformer: Transformer) -> None:
    """Zero what pads the hidden width, and keep the stream from growing with its depth."""
    for rise in block.up_gate_proj.parameters():
        for half in rise.chunk(2):
            half[transformer.mlp_dim :].zero_()
    for fall in block.down_proj.parameters():
        fall[:, transformer.mlp_dim :].zero_()
        fall.mul_((2 * transformer.layers) ** -0.5)
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
    """The model with random weights; in FP8, also how far its prediction is from bf16's.

    The error is that of one prediction at the base stage's size from random inputs: both precisions
    are followed through the blocks while these are made.
    """
    with torch.device("meta"):
        model = FullModel(config.transformer, padded=True)
    blocks = [cast(Block, block) for block in model.stream.blocks]
    model.stream.blocks = nn.ModuleList()
    make_on(model, device, dtype, seed)
    probe = _Probe(model, config, device, dtype, seed) if float8 else None
    for index, block in enumerate(blocks):
        make_on(block, device, dtype, seed + 1 + index)
        _finish_block(block, config.transformer)
        if float8 and probe:
            probe.pass_exactly(block, index)
            to_float8(block, float8)
            probe.pass_coarsely(block, index)
        model.stream.blocks.append(block)
    return model, probe.error(model) if probe else None


class _Probe:
    """One prediction followed in two precisions."""

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
        self.attends = plan(transformer, layout, 0)
        self.start = model.enter(text, video, sound)
        self.exact = self.coarse = self.start
        self.errors: list[float] = []

    def pass_exactly(self, block: nn.Module, index: int) -> None:
        self.exact = block(self.exact, self.lengths, self.rotary_angles, self.attends[index])

    def pass_coarsely(self, block: nn.Module, index: int) -> None:
        self.coarse = block(self.coarse, self.lengths, self.rotary_angles, self.attends[index])
        self.errors.append(distance(self.coarse - self.start, self.exact - self.start))

    def error(self, model: FullModel) -> Float8Error:
        pairs = zip(
            model.leave(self.coarse, self.lengths),
            model.leave(self.exact, self.lengths),
            strict=True,
        )
        video, sound = (distance(coarse, exact) for coarse, exact in pairs)
        return Float8Error(tuple(self.errors), video, sound)


def distance(x: Tensor, reference: Tensor) -> float:
    """Size of the difference over size of the reference, both as Euclidean norms."""
    return float((x.float() - reference.float()).norm() / reference.float().norm())
