"""Foal's transformer: text, content, motion and sound in one stream of tokens.

There is no cross-attention and no separate text or sound network: a caption's words, one token
for what the clip shows, and two tokens for every pair of frames (where things are; what is heard)
attend to each other. Motion and sound of one moment have the same rotary position, so that a hit
is near the frame it belongs to. The network predicts the clean codes; flow matching's velocity
follows from them.
"""

import math
from typing import Any

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn
from torch.nn import functional

from generator.foal.captions import VOCABULARY, split_words

FRAMES_PER_TOKEN = 2
PAD, UNKNOWN = 0, 1  # ids before the vocabulary's own
LEAST_NOISE = 0.04  # the velocity divides by the noise level, which must not reach zero
NOISE_FREQUENCIES = 32
ROPE_BASE = 100.0  # positions run to a few dozen tokens only


class Norm(nn.RMSNorm):
    """Root mean square norm that stays in the precision of what it is given."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.rms_norm(x, self.normalized_shape, self.weight.to(x.dtype))


class Attention(nn.Module):
    """Self-attention with normed queries and keys, rotary time, and a gate on every head."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.head_size = heads, width // heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.query_norm = Norm(self.head_size)
        self.key_norm = Norm(self.head_size)
        self.gate = nn.Linear(width, heads)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor, rotary: tuple[Tensor, Tensor]) -> Tensor:
        """X (B, T, width); rotary: cosines and sines (T, head_size / 4) -> (B, T, width)."""
        query, key, value = self.qkv(x).unflatten(-1, (3, self.heads, -1)).unbind(2)
        query = rotate(self.query_norm(query), *rotary).transpose(1, 2)
        key = rotate(self.key_norm(key), *rotary).transpose(1, 2)
        # Written out: on CPUs, at these lengths, it trains five times faster than fused attention.
        likeness = (query @ key.transpose(-1, -2)) / self.head_size**0.5
        mixed = likeness.softmax(dim=-1).to(value.dtype) @ value.transpose(1, 2)
        gate = 2 * torch.sigmoid(self.gate(x))  # 2: open by one to begin with
        mixed = mixed.transpose(1, 2) * gate[..., None].to(mixed.dtype)
        result: Tensor = self.out(mixed.flatten(2))
        return result


def rotate(x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Turn the first half of every head by its token's time: x (B, T, heads, head_size)."""
    first, second, still = torch.split(
        x, [x.shape[-1] // 4, x.shape[-1] // 4, x.shape[-1] // 2], dim=-1
    )
    cosines, sines = cosines[:, None].to(x.dtype), sines[:, None].to(x.dtype)
    turned = (first * cosines - second * sines, second * cosines + first * sines)
    return torch.cat([*turned, still], dim=-1)


class Block(nn.Module):
    def __init__(self, width: int, heads: int, expansion: int) -> None:
        super().__init__()
        self.attention_norm = Norm(width)
        self.attention = Attention(width, heads)
        self.mlp_norm = Norm(width)
        self.rise = nn.Linear(width, expansion * width, bias=False)
        self.fall = nn.Linear(expansion * width, width, bias=False)

    def forward(self, x: Tensor, rotary: tuple[Tensor, Tensor]) -> Tensor:
        """(B, T, width) -> (B, T, width)."""
        x = x + self.attention(self.attention_norm(x), rotary)
        result: Tensor = x + self.fall(functional.silu(self.rise(self.mlp_norm(x))))
        return result


class FoalTransformer(ModelMixin, ConfigMixin):
    """The joint model. Sizes of the codes are the codec's; frames come in pairs, F = 2 M."""

    config_name = "config.json"  # type: ignore[assignment]

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        content_size: int,
        motion_size: int,
        sound_size: int,
        width: int = 128,
        layers: int = 6,
        heads: int = 4,
        expansion: int = 3,
        words: int = 16,
        moments: int = 36,
        vocabulary: tuple[str, ...] = VOCABULARY,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.word_ids = {word: i + 2 for i, word in enumerate(vocabulary)}
        self.sizes = (content_size, FRAMES_PER_TOKEN * motion_size, FRAMES_PER_TOKEN * sound_size)
        self.word = nn.Embedding(len(vocabulary) + 2, width)
        self.word_place = nn.Parameter(0.02 * torch.randn(words, width))
        self.moment = nn.Parameter(0.02 * torch.randn(moments, width))
        self.enter = nn.ModuleList(nn.Linear(size, width) for size in self.sizes)
        self.leave = nn.ModuleList(nn.Linear(width, size) for size in self.sizes)
        self.noise = nn.Sequential(
            nn.Linear(2 * NOISE_FREQUENCIES, width), nn.SiLU(), nn.Linear(width, width)
        )
        self.blocks = nn.ModuleList(Block(width, heads, expansion) for _ in range(layers))
        self.norm = Norm(width)

    def tokenize(self, texts: list[str]) -> tuple[Tensor, list[tuple[str, ...]]]:
        """Word ids (B, words), and for each text the words that had no id or no room.

        Where a text is too long, unknown words make room before known ones do.
        """
        config: Any = self.config
        rows, lost = [], []
        for text in texts:
            spoken = split_words(text)
            unknown = [word for word in spoken if word not in self.word_ids]
            if len(spoken) > config.words:
                spoken = [word for word in spoken if word in self.word_ids]
            lost.append(tuple(unknown + spoken[config.words :]))
            ids = [self.word_ids.get(word, UNKNOWN) for word in spoken[: config.words]]
            rows.append(ids + [PAD] * (config.words - len(ids)))
        return torch.tensor(rows), lost

    def forward(
        self, words: Tensor, content: Tensor, motion: Tensor, sound: Tensor, noise: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Clean codes from noisy ones.

        Args:
            words: ids, (B, words).
            content: (B, content_size).
            motion: (B, F, motion_size).
            sound: (B, F, sound_size).
            noise: share of noise in the codes, (B,), 0 clean to 1 nothing but noise.

        Returns:
            Clean content, motion and sound, shapes as given.
        """
        moments = motion.shape[1] // FRAMES_PER_TOKEN
        steps = torch.arange(moments, device=words.device)
        x = self._enter(words, (content, motion, sound), noise, steps)
        lead = torch.zeros(words.shape[1] + 1, device=words.device)
        rotary = self.rotary(torch.cat([lead, steps + 1.0, steps + 1.0]))
        for block in self.blocks:
            x = block(x, rotary)
        return self._leave(x[:, words.shape[1] :], moments)

    def _enter(
        self, words: Tensor, parts: tuple[Tensor, ...], noise: Tensor, steps: Tensor
    ) -> Tensor:
        """The stream's tokens. Codes enter and leave in their own precision, also in training:
        half precision would shake a place by a fifth of a pixel.
        """
        count = (1, len(steps), len(steps))
        folded = [part.reshape(len(part), n, -1) for part, n in zip(parts, count, strict=True)]
        with torch.autocast(words.device.type, enabled=False):
            level = self.noise(wave_features(noise).to(folded[0].dtype))[:, None]
            codes = [e(part) + level for e, part in zip(self.enter, folded, strict=True)]
        # A clip longer than those of the training goes on with the last moment's embedding.
        when = self.moment[steps.clamp(max=len(self.moment) - 1)]
        text = self.word(words) + self.word_place
        return torch.cat([text, codes[0], codes[1] + when, codes[2] + when], dim=1)

    def _leave(self, x: Tensor, moments: int) -> tuple[Tensor, Tensor, Tensor]:
        with torch.autocast(x.device.type, enabled=False):
            parts = torch.split(self.norm(x), [1, moments, moments], dim=1)
            content, motion, sound = (e(p) for e, p in zip(self.leave, parts, strict=True))
        frames = FRAMES_PER_TOKEN * moments
        shape = (len(x), frames, -1)
        return content[:, 0], motion.reshape(shape), sound.reshape(shape)

    def rotary(self, times: Tensor) -> tuple[Tensor, Tensor]:
        """Cosines and sines of every token's time, (T, head_size / 4) each."""
        config: Any = self.config
        pairs = config.width // config.heads // 4
        rates = ROPE_BASE ** -(torch.arange(pairs, device=times.device) / pairs)
        turns = times[:, None] * rates
        return turns.cos(), turns.sin()


def wave_features(noise: Tensor) -> Tensor:
    """Sines and cosines of a noise level, (B,) -> (B, 2 * NOISE_FREQUENCIES)."""
    rates = torch.exp(torch.linspace(0, math.log(200.0), NOISE_FREQUENCIES, device=noise.device))
    turns = noise.float()[:, None] * rates
    return torch.cat([turns.sin(), turns.cos()], dim=1)


def velocity(noisy: Tensor, clean: Tensor, noise: Tensor) -> Tensor:
    """Flow matching's direction from clean to noise: (x_t - x_0) / t, shapes (B, ...) and (B,)."""
    level = noise.clamp(min=LEAST_NOISE).reshape(-1, *[1] * (noisy.dim() - 1))
    return (noisy - clean) / level
