"""Foal's transformer: text, content, motion and sound as one sequence of tokens.

There is no cross-attention and no separate text or sound network. The sequence is
    text      the words of the prompt
    source    what the clip starts from, if anything: the content of an image or video, its motion
    content   one token for the scene and one for each object slot
    motion    one token for every pair of frames
    sound     one token for every pair of frames
Motion and sound of the same frames share their rotary position, so that a hit attends to the frame
in which it is seen. The network predicts the clean latents (x0-prediction); the velocity of flow
matching follows from them (`noise_schedule.velocity`).

Shapes: B clips, F frames, M = F / 2 pairs of frames, T tokens, D model dimension.
"""

import math
from typing import Any, NamedTuple

import torch
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

from generator.foal.model.base import FoalModel
from generator.foal.model.blocks import Rotary, Stream, StreamConfig
from generator.foal.model.states import LATENT_FORMAT
from generator.foal.world.vocabulary import VOCABULARY, split_words

FRAMES_PER_TOKEN = 2
PAD, UNKNOWN = 0, 1  # token ids before those of the vocabulary
TIMESTEP_FREQUENCIES = 32
ROPE_BASE = 100.0  # low, since there are only a few dozen positions


class Latents(NamedTuple):
    """Normalized latents of B clips of F frames."""

    content: Tensor  # (B, CONTENT_TOKENS, CONTENT_DIM): the scene, then each object slot
    motion: Tensor  # (B, F, MOTION_DIM)
    sound: Tensor  # (B, F, SOUND_DIM)


class Source(NamedTuple):
    """What clips start from: content and positions of an image, or content of a video."""

    content: Tensor  # (B, CONTENT_TOKENS, CONTENT_DIM)
    motion: Tensor  # (B, MOTION_DIM) of the first frame; zeros for a video, whose motion is kept


class FoalTransformer(FoalModel):
    """The joint audio-video diffusion transformer.

    Args:
        content_tokens: tokens of content: the scene and each object slot.
        content_dim: numbers in a content token.
        motion_dim: numbers in a frame's motion.
        sound_dim: numbers in a frame's sound.
        dim: model dimension.
        mlp_dim: hidden dimension of the SwiGLU MLP.
        modality_layers: layers at either end that have weights per modality.
        text_length: words of a prompt that are read.
        time_steps: pairs of frames with a learned time embedding.
        vocabulary: known words.
        self_cond: whether the model is given its last prediction as well (self-conditioning).
        latent_format: the latents it was trained on; must match the codec's.
    """

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        content_tokens: int,
        content_dim: int,
        motion_dim: int,
        sound_dim: int,
        dim: int = 128,
        layers: int = 8,
        heads: int = 4,
        kv_heads: int = 2,
        mlp_dim: int = 256,
        modality_layers: int = 2,
        text_length: int = 32,
        time_steps: int = 36,
        vocabulary: tuple[str, ...] = VOCABULARY,
        self_cond: bool = True,
        latent_format: str = LATENT_FORMAT,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.word_ids = {word: i + 2 for i, word in enumerate(vocabulary)}
        pair = FRAMES_PER_TOKEN
        self.word_embed = nn.Embedding(len(vocabulary) + 2, dim)
        self.word_pos_embed = nn.Parameter(0.02 * torch.randn(text_length, dim))
        self.slot_embed = nn.Parameter(0.02 * torch.randn(content_tokens, dim))
        self.time_embed = nn.Parameter(0.02 * torch.randn(time_steps, dim))
        self.source_embed = nn.Parameter(0.02 * torch.randn(content_tokens + 1, dim))
        self.content_in = nn.Linear(content_dim, dim)
        self.motion_in = nn.Linear(pair * motion_dim, dim)
        self.sound_in = nn.Linear(pair * sound_dim, dim)
        if self_cond:
            self.self_cond_content_in = zero_linear(content_dim, dim)
            self.self_cond_motion_in = zero_linear(pair * motion_dim, dim)
            self.self_cond_sound_in = zero_linear(pair * sound_dim, dim)
        self.source_motion_in = nn.Linear(motion_dim, dim)
        self.content_out = nn.Linear(dim, content_dim)
        self.motion_out = nn.Linear(dim, pair * motion_dim)
        self.sound_out = nn.Linear(dim, pair * sound_dim)
        self.sigma_embed = nn.Sequential(
            nn.Linear(2 * TIMESTEP_FREQUENCIES, dim), nn.SiLU(), nn.Linear(dim, dim)
        )
        self.stream = Stream(
            StreamConfig(dim, layers, heads, kv_heads, dim // heads, mlp_dim, modality_layers)
        )

    def tokenize(self, texts: list[str]) -> tuple[Tensor, list[tuple[str, ...]]]:
        """Word ids (B, words), and for each text what is not understood.

        The second lists unknown words (each once), how many words are beyond the limit, and
        whether no word is known at all. Where a text is too long, unknown words are dropped first.
        """
        config: Any = self.config
        rows, problems = [], []
        for text in texts:
            words = split_words(text)
            unknown = [word for word in words if word not in self.word_ids]
            if len(words) > config.text_length:
                words = [word for word in words if word in self.word_ids]
            problem = list(dict.fromkeys(unknown))
            surplus = len(words) - config.text_length
            if surplus > 0:
                problem.append(f"({surplus} words beyond the first {config.text_length})")
            if not any(word in self.word_ids for word in words):
                problem.append("(no known word)")
            problems.append(tuple(problem))
            ids = [self.word_ids.get(word, UNKNOWN) for word in words[: config.text_length]]
            rows.append(ids + [PAD] * (config.text_length - len(ids)))
        return torch.tensor(rows), problems

    def forward(
        self,
        words: Tensor,
        noisy: Latents,
        sigma: Tensor,
        source: Source | None = None,
        self_cond: Latents | None = None,
    ) -> Latents:
        """Predict clean latents from noisy ones.

        With self-conditioning (Chen, Zhang and Hinton 2022, section 3.2) the model is also given
        its prediction of the previous, noisier step.

        Args:
            words: token ids, (B, words).
            noisy: the noisy latents.
            sigma: noise levels of content, motion and sound, (B, 3), from 0 (clean) to 1 (noise).
            source: what the clips start from, if anything.
            self_cond: the last prediction, if any.

        Returns:
            Clean content, motion and sound in the shapes of `noisy`.
        """
        pairs = noisy.motion.shape[1] // FRAMES_PER_TOKEN
        steps = torch.arange(pairs, device=words.device)
        # Shape: (B, source + content + M, D) and (B, M, D)
        video, sound = self._embed(noisy, sigma, source, self_cond, steps)
        text = self.word_embed(words) + self.word_pos_embed
        # All tokens without a time are at position 0, frames at 1, 2, ...
        timeless = torch.zeros(text.shape[1] + video.shape[1] - pairs, device=words.device)
        rotary = self.rotary(torch.cat([timeless, steps + 1.0, steps + 1.0]))
        lengths = (text.shape[1], video.shape[1], sound.shape[1])
        # Shape: (B, T, D)
        x = self.stream(torch.cat([text, video, sound], dim=1), lengths, rotary)
        return self._project(x[:, lengths[0] :], noisy)

    def _embed(
        self,
        noisy: Latents,
        sigma: Tensor,
        source: Source | None,
        self_cond: Latents | None,
        steps: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Tokens of video and of sound.

        Latents go in and out in their own precision, in training too: rounding to half precision
        would jitter a position by a fifth of a pixel.
        """
        pairs = len(steps)
        with torch.autocast(steps.device.type, enabled=False):
            # Shape: (B, 3) -> (B, 3, D)
            sigma_embed = self.sigma_embed(
                timestep_embedding(sigma.flatten()).to(noisy.motion.dtype)
            )
            sigma_embed = torch.unflatten(sigma_embed, 0, sigma.shape)
            content = self.content_in(noisy.content) + self.slot_embed + sigma_embed[:, :1]
            motion = self.motion_in(_fold(noisy.motion, pairs)) + sigma_embed[:, 1:2]
            sound = self.sound_in(_fold(noisy.sound, pairs)) + sigma_embed[:, 2:]
            if self_cond is not None:
                content = content + self.self_cond_content_in(self_cond.content)
                motion = motion + self.self_cond_motion_in(_fold(self_cond.motion, pairs))
                sound = sound + self.self_cond_sound_in(_fold(self_cond.sound, pairs))
            source_tokens = []
            if source is not None:
                source_motion = self.source_motion_in(source.motion)[:, None]
                source_content = self.content_in(source.content)
                source_tokens = [
                    torch.cat([source_content, source_motion], dim=1) + self.source_embed
                ]
        # A clip longer than those of the training repeats the last time embedding.
        time_embed = self.time_embed[steps.clamp(max=len(self.time_embed) - 1)]
        video = torch.cat([*source_tokens, content, motion + time_embed], dim=1)
        return video, sound + time_embed

    def _project(self, x: Tensor, noisy: Latents) -> Latents:
        """Clean latents from the tokens of source, content, motion and sound, (B, T, D)."""
        pairs = noisy.motion.shape[1] // FRAMES_PER_TOKEN
        slots = noisy.content.shape[1]
        _, content, motion, sound = torch.split(
            x, [x.shape[1] - slots - 2 * pairs, slots, pairs, pairs], dim=1
        )
        dtype = self.motion_out.weight.dtype
        with torch.autocast(x.device.type, enabled=False):
            return Latents(
                self.content_out(content.to(dtype)),
                self.motion_out(motion.to(dtype)).reshape(noisy.motion.shape),
                self.sound_out(sound.to(dtype)).reshape(noisy.sound.shape),
            )

    def rotary(self, times: Tensor) -> Rotary:
        """Cosines and sines of the tokens' times, for half of each head: (T, head_dim / 4) each."""
        config: Any = self.config
        pairs = config.dim // config.heads // 4
        rates = ROPE_BASE ** -(torch.arange(pairs, device=times.device) / pairs)
        angles = times[:, None] * rates
        return angles.cos(), angles.sin()


def zero_linear(in_features: int, out_features: int) -> nn.Linear:
    """A linear layer initialized to zero, so that it can be added to a trained model."""
    linear = nn.Linear(in_features, out_features, bias=False)
    nn.init.zeros_(linear.weight)
    return linear


def _fold(x: Tensor, tokens: int) -> Tensor:
    """(B, F, n) -> (B, tokens, F / tokens * n)."""
    return x.reshape(len(x), tokens, -1)


def timestep_embedding(sigma: Tensor) -> Tensor:
    """Sines and cosines of noise levels, (B,) -> (B, 2 * TIMESTEP_FREQUENCIES)."""
    rates = torch.exp(torch.linspace(0, math.log(200.0), TIMESTEP_FREQUENCIES, device=sigma.device))
    angles = sigma.float()[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def predict_clean(
    model: FoalTransformer,
    words: Tensor,
    noisy: Latents,
    sigma: Tensor,
    source: Source | None,
    motion_cond: Tensor | None,
    self_cond: Latents | None = None,
) -> Latents:
    """Predict clean latents from latents at one noise level per clip, sigma (B,).

    In an edit the motion is known: `motion_cond` (B, F, MOTION_DIM) replaces the noisy motion, at
    noise level 0.
    """
    sigmas = sigma[:, None].repeat(1, 3)
    if motion_cond is not None:
        noisy, sigmas[:, 1] = noisy._replace(motion=motion_cond), 0
    clean: Latents = model(words, noisy, sigmas, source, self_cond)
    return clean
