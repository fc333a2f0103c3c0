"""Attention of the full-size model: fused and global, or local in time and still exact.

In a local layer a video token sees all text, all sound, and the video of its own latent frame and
of `reach` frames to either side; text and sound see everything. It is computed frame by frame with
the fused kernel and no mask: the keys are laid out once such that what a frame sees lies in one
piece, so nothing is copied for a frame and nothing unseen is multiplied.

B clips, T tokens, S numbers a head.
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
    """Frames `first` to `last` (excluded) that a frame sees.

    Attributes:
        gap: which of `gaps` holds the global keys of this window.
    """

    first: int
    last: int
    gap: int


def gaps(frames: int, reach: int) -> tuple[int, ...]:
    """Before which frames a copy of the global keys is put, so that every window holds one.

    Copies stand as far apart as a window is long, hence no window has two inside it, and every
    window has one inside or at its rim.
    """
    span = 2 * reach + 1
    found = [min(reach + 1, frames)]
    while found[-1] < frames - 1 - reach:
        found.append(min(found[-1] + span, frames))
    return tuple(found)


def windows(frames: int, reach: int) -> tuple[Window, ...]:
    """What every latent frame sees."""
    standing = gaps(frames, reach)
    result = []
    for frame in range(frames):
        first, last = max(0, frame - reach), min(frames, frame + reach + 1)
        inside = [i for i, gap in enumerate(standing) if first < gap < last]
        rim = [i for i, gap in enumerate(standing) if gap in (first, last)]
        result.append(Window(first, last, (inside or rim)[0]))
    return tuple(result)


def pairs(layout: Layout, reach: int) -> int:
    """Pairs of query and key that one head multiplies; `reach` 0 means all of them."""
    if not reach:
        return layout.tokens**2
    outer = layout.text + layout.sound
    seen = sum(window.last - window.first for window in windows(layout.frames, reach))
    of_video = layout.per_frame**2 * seen + layout.per_frame * layout.frames * outer
    return of_video + outer * layout.tokens


def attend_locally(
    query: Tensor, key: Tensor, value: Tensor, *, layout: Layout, reach: int
) -> Tensor:
    """Query (B, heads, T, S), key and value (B, kv_heads, T, S) -> (B, heads, T, S)."""
    frame, outer = layout.per_frame, layout.text + layout.sound
    standing = gaps(layout.frames, reach)
    laid_key, laid_value = (_lay_out(part, layout, standing) for part in (key, value))
    text, video, sound = torch.split(query, list(layout.lengths), dim=2)
    of_globals = fused_attention(torch.cat([text, sound], dim=2), key, value)
    mixed = [of_globals[:, :, : layout.text]]
    each_frame = torch.split(video, [frame] * layout.frames, dim=2)
    for asked, window in zip(each_frame, windows(layout.frames, reach), strict=True):
        # As many copies stand before the piece as gaps come before its own.
        start = window.first * frame + window.gap * outer
        seen = slice(start, start + (window.last - window.first) * frame + outer)
        mixed.append(fused_attention(asked, laid_key[:, :, seen], laid_value[:, :, seen]))
    mixed.append(of_globals[:, :, layout.text :])
    # Joined token by token, as the next matrix wants them: joined by heads they are copied again.
    return torch.cat([part.transpose(1, 2) for part in mixed], dim=1).transpose(1, 2)


def _lay_out(x: Tensor, layout: Layout, standing: Sequence[int]) -> Tensor:
    """The video's keys or values with a copy of text and sound at every gap."""
    text, video, sound = torch.split(x, list(layout.lengths), dim=2)
    starts = (0, *standing)
    parts = []
    for start, end in zip(starts, standing, strict=False):
        parts += [video[:, :, start * layout.per_frame : end * layout.per_frame], text, sound]
    return torch.cat([*parts, video[:, :, standing[-1] * layout.per_frame :]], dim=2)


def plan(transformer: Transformer, layout: Layout, reach: int) -> tuple[AttentionFn, ...]:
    """The attention of every layer; the same object for the same kind, for the compiler's sake."""
    everywhere = partial(_attend, layout=layout, reach=0)
    nearby = partial(_attend, layout=layout, reach=reach)
    local = 0 < reach < layout.frames - 1
    return tuple(
        nearby if local and layer not in transformer.global_layers else everywhere
        for layer in range(transformer.layers)
    )


def _attend(query: Tensor, key: Tensor, value: Tensor, *, layout: Layout, reach: int) -> Tensor:
    if torch.compiler.is_compiling():
        # The compiler takes it as one step: the kernel is chosen when it runs, not when traced.
        parts = (part.transpose(1, 2) for part in (query, key, value))
        mixed: Tensor = _attend_opaquely(*parts, list(astuple(layout)), reach)
        return mixed.transpose(1, 2)
    if not reach:
        return fused_attention(query, key, value)
    return attend_locally(query, key, value, layout=layout, reach=reach)


@torch.library.custom_op("hippodrome::attend", mutates_args=())
def _attend_opaquely(
    query: Tensor, key: Tensor, value: Tensor, layout: Sequence[int], reach: int
) -> Tensor:
    """(B, T, heads, S) and (B, T, kv_heads, S) twice -> (B, T, heads, S), contiguous."""
    parts = (part.transpose(1, 2) for part in (query, key, value))
    return _attend(*parts, layout=Layout(*layout), reach=reach).transpose(1, 2).contiguous()


@_attend_opaquely.register_fake
def _(query: Tensor, key: Tensor, value: Tensor, layout: Sequence[int], reach: int) -> Tensor:
    return torch.empty(query.shape, dtype=query.dtype, device=query.device)
