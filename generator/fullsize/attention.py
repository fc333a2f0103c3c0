"""Attention of the full-size model: global, or exact local attention over time.

In a local layer a video token attends to all text, all sound, and the video of its own latent frame
and of `radius` frames to either side; text and sound attend to everything. It is computed frame by
frame with the fused kernel and without a mask: copies of the text and sound keys are inserted
between the frames once, such that the keys of each frame are one contiguous slice. So nothing is
copied per frame, and no masked pair is computed.

Shapes: B clips, T tokens, S head dimension.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from functools import partial

import torch
from torch import Tensor

from generator.foal.model.blocks import AttentionFn, fused_attention
from generator.fullsize.config import Transformer
from generator.fullsize.layout import Layout


@dataclass(frozen=True)
class Window:
    """Frames `first` to `last` (exclusive) that a frame attends to.

    Attributes:
        copy: index into `copy_positions` of the copy of the global keys in this window.
    """

    first: int
    last: int
    copy: int


def copy_positions(frames: int, radius: int) -> tuple[int, ...]:
    """The frames before which a copy of the global keys is inserted.

    Copies are one window length apart, so that every window contains exactly one, inside it or at
    its edge.
    """
    positions = [min(radius + 1, frames)]
    while positions[-1] < frames - 1 - radius:
        positions.append(min(positions[-1] + 2 * radius + 1, frames))
    return tuple(positions)


def windows(frames: int, radius: int) -> tuple[Window, ...]:
    """The window of every latent frame."""
    copies = copy_positions(frames, radius)
    result = []
    for frame in range(frames):
        first, last = max(0, frame - radius), min(frames, frame + radius + 1)
        inside = [i for i, copy in enumerate(copies) if first < copy < last]
        at_edge = [i for i, copy in enumerate(copies) if copy in (first, last)]
        result.append(Window(first, last, (inside or at_edge)[0]))
    return tuple(result)


def attended_pairs(layout: Layout, radius: int) -> int:
    """Pairs of query and key that one head multiplies; a `radius` of 0 means all pairs."""
    if not radius:
        return layout.tokens**2
    global_tokens = layout.text + layout.sound
    frame_pairs = sum(window.last - window.first for window in windows(layout.frames, radius))
    video = layout.per_frame**2 * frame_pairs + layout.per_frame * layout.frames * global_tokens
    return video + global_tokens * layout.tokens


def local_attention(
    query: Tensor, key: Tensor, value: Tensor, *, layout: Layout, radius: int
) -> Tensor:
    """Query (B, heads, T, S), key and value (B, kv_heads, T, S) -> (B, heads, T, S)."""
    frame, global_tokens = layout.per_frame, layout.text + layout.sound
    copies = copy_positions(layout.frames, radius)
    local_key, local_value = (_insert_copies(x, layout, copies) for x in (key, value))
    text, video, sound = torch.split(query, list(layout.lengths), dim=2)
    global_output = fused_attention(torch.cat([text, sound], dim=2), key, value)
    outputs = [global_output[:, :, : layout.text]]
    frame_queries = torch.split(video, [frame] * layout.frames, dim=2)
    for frame_query, window in zip(frame_queries, windows(layout.frames, radius), strict=True):
        # The slice is preceded by the video before the window and by `window.copy` copies.
        start = window.first * frame + window.copy * global_tokens
        keys = slice(start, start + (window.last - window.first) * frame + global_tokens)
        outputs.append(fused_attention(frame_query, local_key[:, :, keys], local_value[:, :, keys]))
    outputs.append(global_output[:, :, layout.text :])
    # Concatenate along tokens before heads, the layout of the output projection: no second copy.
    return torch.cat([output.transpose(1, 2) for output in outputs], dim=1).transpose(1, 2)


def _insert_copies(x: Tensor, layout: Layout, copies: Sequence[int]) -> Tensor:
    """The video's keys or values with a copy of those of text and sound at each position."""
    text, video, sound = torch.split(x, list(layout.lengths), dim=2)
    starts = (0, *copies)
    parts = []
    for start, end in zip(starts, copies, strict=False):
        parts += [video[:, :, start * layout.per_frame : end * layout.per_frame], text, sound]
    return torch.cat([*parts, video[:, :, copies[-1] * layout.per_frame :]], dim=2)


def layer_attentions(
    transformer: Transformer, layout: Layout, radius: int
) -> tuple[AttentionFn, ...]:
    """The attention function of every layer.

    Layers of one kind share one object, so that the compiler compiles each kind once.
    """
    global_attention = partial(_attention, layout=layout, radius=0)
    windowed_attention = partial(_attention, layout=layout, radius=radius)
    local = 0 < radius < layout.frames - 1
    return tuple(
        windowed_attention if local and layer not in transformer.global_layers else global_attention
        for layer in range(transformer.layers)
    )


def _attention(query: Tensor, key: Tensor, value: Tensor, *, layout: Layout, radius: int) -> Tensor:
    if torch.compiler.is_compiling():
        # One opaque operator for the compiler: the kernel is chosen at run time, not when traced.
        inputs = (x.transpose(1, 2) for x in (query, key, value))
        mixed: Tensor = _attention_op(*inputs, list(astuple(layout)), radius)
        return mixed.transpose(1, 2)
    if not radius:
        return fused_attention(query, key, value)
    return local_attention(query, key, value, layout=layout, radius=radius)


@torch.library.custom_op("hippodrome::attend", mutates_args=())
def _attention_op(
    query: Tensor, key: Tensor, value: Tensor, layout: Sequence[int], radius: int
) -> Tensor:
    """(B, T, heads, S) and twice (B, T, kv_heads, S) -> (B, T, heads, S), contiguous."""
    inputs = (x.transpose(1, 2) for x in (query, key, value))
    mixed = _attention(*inputs, layout=Layout(*layout), radius=radius)
    return mixed.transpose(1, 2).contiguous()


@_attention_op.register_fake
def _(query: Tensor, key: Tensor, value: Tensor, layout: Sequence[int], radius: int) -> Tensor:
    return torch.empty(query.shape, dtype=query.dtype, device=query.device)
