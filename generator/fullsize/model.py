"""The full-size transformer: the miniature's stream between linear maps in and out."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from generator.foal.model.blocks import AttentionFn, Rotary, Stream
from generator.fullsize.config import Transformer


class FullModel(nn.Module):
    """One stream of text, video and sound; no cross-attention, and no time step comes in."""

    def __init__(self, transformer: Transformer, *, padded: bool) -> None:
        super().__init__()
        width = transformer.dim
        self.text_in = nn.Linear(transformer.text_channels, width)
        self.video_in = nn.Linear(transformer.video_channels, width)
        self.sound_in = nn.Linear(transformer.sound_channels, width)
        self.stream = Stream(transformer.shape(padded=padded))
        self.video_out = nn.Linear(width, transformer.video_channels, bias=False)
        self.sound_out = nn.Linear(width, transformer.sound_channels, bias=False)

    def enter(self, text: Tensor, video: Tensor, sound: Tensor) -> Tensor:
        """Text (B, N, C_t), video (B, V, C_v), sound (B, S, C_s) -> stream (B, T, D)."""
        return torch.cat([self.text_in(text), self.video_in(video), self.sound_in(sound)], dim=1)

    def leave(self, x: Tensor, lengths: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Stream (B, T, D) -> velocities of video (B, V, C_v) and of sound (B, S, C_s)."""
        _, video, sound = torch.split(self.stream.norm(x), list(lengths), dim=1)
        return self.video_out(video), self.sound_out(sound)

    def forward(
        self,
        text: Tensor,
        video: Tensor,
        sound: Tensor,
        rotary: Rotary,
        attends: Sequence[AttentionFn],
    ) -> tuple[Tensor, Tensor]:
        """Velocities of video and sound; `attends` has each layer's attention."""
        lengths = (text.shape[1], video.shape[1], sound.shape[1])
        x = self.enter(text, video, sound)
        for block, attend in zip(self.stream.blocks, attends, strict=True):
            x = block(x, lengths, rotary, attend)
        return self.leave(x, lengths)
