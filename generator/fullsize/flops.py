"""How much arithmetic a step is, by formula: one multiplication and one addition are two.

For T tokens, of which N, V, S are text, video and sound, with width D, H heads and K key-value
heads of size s, hidden width F and L layers:

    large linear maps  2 T L (D (H + 2 K) s + H s D + 3 D F)
    gates              2 T L D H
    maps in and out    2 D (N C_t + 2 V C_v + 2 S C_s)
    attention          4 H s (sum over layers of the pairs of query and key)

A layer with weights by modality is the same work: a token passes its own. Norms, rotations and
other work that grows with T alone are not counted, nor is the padding of the hidden width.
"""

from dataclasses import dataclass

from generator.fullsize.attention import pairs
from generator.fullsize.config import Transformer
from generator.fullsize.layout import Layout


@dataclass(frozen=True)
class Work:
    """Floating point operations.

    Attributes:
        large: of the maps that FP8 would take.
        small: of gates and of the maps in and out.
        attention: of queries with keys and of weights with values.
    """

    large: int
    small: int
    attention: int

    @property
    def total(self) -> int:
        return self.large + self.small + self.attention

    def __mul__(self, steps: int) -> "Work":
        return Work(self.large * steps, self.small * steps, self.attention * steps)


def count_step(transformer: Transformer, layout: Layout, reach: int) -> Work:
    """The arithmetic of one prediction at a layout."""
    text, video, sound = layout.lengths
    width, inner = transformer.dim, transformer.heads * transformer.head_dim
    kept = transformer.kv_heads * transformer.head_dim
    each = width * (inner + 2 * kept) + inner * width + 3 * width * transformer.mlp_dim
    gates = width * transformer.heads
    video_channels, sound_channels = transformer.video_channels, transformer.sound_channels
    ends = (
        text * transformer.text_channels + 2 * video * video_channels + 2 * sound * sound_channels
    )
    everywhere = transformer.layers
    if 0 < reach < layout.frames - 1:
        everywhere = len(set(transformer.global_layers))
    seen = everywhere * pairs(layout, 0)
    if everywhere < transformer.layers:
        seen += (transformer.layers - everywhere) * pairs(layout, reach)
    tokens_layers = layout.tokens * transformer.layers
    return Work(
        large=2 * tokens_layers * each,
        small=2 * tokens_layers * gates + 2 * width * ends,
        attention=4 * inner * seen,
    )
