"""Floating point operations of a denoising step; a multiply-add counts as two.

For T tokens, of which N, V, S are text, video and sound, dimension D, H heads and K key-value heads
of dimension s, MLP dimension F and L layers:

    large linear layers  2 T L (D (H + 2 K) s + H s D + 3 D F)
    gates                2 T L D H
    input and output     2 D (N C_t + 2 V C_v + 2 S C_s)
    attention            4 H s (sum over layers of the pairs of query and key)

Layers with weights per modality cost the same, since each token uses those of its modality. Norms,
rotary positions and other work linear in T are not counted, nor is the padding of the MLP.
"""

from dataclasses import dataclass

from generator.fullsize.attention import attended_pairs
from generator.fullsize.config import Transformer
from generator.fullsize.layout import Layout


@dataclass(frozen=True)
class Work:
    """Floating point operations.

    Attributes:
        large: of the linear layers that FP8 applies to.
        small: of gates, input and output layers.
        attention: of queries with keys, and of scores with values.
    """

    large: int
    small: int
    attention: int

    @property
    def total(self) -> int:
        return self.large + self.small + self.attention

    def __mul__(self, steps: int) -> "Work":
        return Work(self.large * steps, self.small * steps, self.attention * steps)


def count_step(transformer: Transformer, layout: Layout, radius: int) -> Work:
    """Operations of one prediction at a layout."""
    text, video, sound = layout.lengths
    dim, inner = transformer.dim, transformer.heads * transformer.head_dim
    kv_dim = transformer.kv_heads * transformer.head_dim
    per_token = dim * (inner + 2 * kv_dim) + inner * dim + 3 * dim * transformer.mlp_dim
    gates = dim * transformer.heads
    video_channels, sound_channels = transformer.video_channels, transformer.sound_channels
    ends = (
        text * transformer.text_channels + 2 * video * video_channels + 2 * sound * sound_channels
    )
    global_layers = transformer.layers
    if 0 < radius < layout.frames - 1:
        global_layers = len(set(transformer.global_layers))
    pairs = global_layers * attended_pairs(layout, 0)
    if global_layers < transformer.layers:
        pairs += (transformer.layers - global_layers) * attended_pairs(layout, radius)
    tokens_layers = layout.tokens * transformer.layers
    return Work(
        large=2 * tokens_layers * per_token,
        small=2 * tokens_layers * gates + 2 * dim * ends,
        attention=4 * inner * pairs,
    )
