"""The full-size transformer: the blocks of Foal between input and output layers."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from generator.foal.model.blocks import AttentionFn, Rotary, Stream
from generator.fullsize.config import Transformer


class FullModel(nn.Module):
    """One sequence of text, video and sound; no cross-attention and no timestep embedding."""

    def __init__(self, transformer: Transformer, *, padded: bool) -> None:
        super().__init__()
        dim = transformer.dim
        self.text_in = nn.Linear(transformer.text_channels, dim)
        self.video_in = nn.Linear(transformer.video_channels, dim)
        self.sound_in = nn.Linear(transformer.sound_channels, dim)
        self.stream = Stream(transformer.shape(padded=padded))
        self.video_out = nn.Linear(dim, transformer.video_channels, bias=False)
        self.sound_out = nn.Linear(dim, transformer.sound_channels, bias=False)

    def embed(self, text: Tensor, video: Tensor, sound: Tensor) -> Tensor:
        """Text (B, N, C_t), video (B, V, C_v), sound (B, S, C_s) -> (B, T, D)."""
        return torch.cat([self.text_in(text), self.video_in(video), self.sound_in(sound)], dim=1)

    def project(self, x: Tensor, lengths: Sequence[int]) -> tuple[Tensor, Tensor]:
        """(B, T, D) -> velocities of video (B, V, C_v) and of sound (B, S, C_s)."""
        _, video, sound = torch.split(self.stream.norm(x), list(lengths), dim=1)
        return self.video_out(video), self.sound_out(sound)

    def forward(
        self,
        text: Tensor,
        video: Tensor,
        sound: Tensor,
        rotary: Rotary,
        attentions: Sequence[AttentionFn],
    ) -> tuple[Tensor, Tensor]:
        """Predict the velocities of video and sound; `attentions` has one function per layer."""
        lengths = (text.shape[1], video.shape[1], sound.shape[1])
        x = self.embed(text, video, sound)
        for block, attention in zip(self.stream.blocks, attentions, strict=True):
            x = block(x, lengths, rotary, attention)
        return self.project(x, lengths)
