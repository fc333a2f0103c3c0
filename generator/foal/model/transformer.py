"""Foal's transformer: words, what a clip shows, how it moves and sounds, in one stream of tokens.

There is no cross-attention and no separate text or sound network: a caption's words; one token for
the scene and one for each thing in it; for every pair of frames one token of motion and one of
sound. An image or a clip to start from is five tokens more. Motion and sound of one moment have
the same rotary place, so that a hit is near the frame it belongs to. The network predicts the clean
codes; flow matching's velocity follows from them.
"""

import math
from typing import Any, NamedTuple

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn

from generator.foal.model.blocks import Rotary, Stream, StreamShape
from generator.foal.model.states import FORM
from generator.foal.world.captions import VOCABULARY, split_words

FRAMES_PER_TOKEN = 2
PAD, UNKNOWN = 0, 1  # ids before the vocabulary's own
LEAST_NOISE = 1e-3  # the velocity divides by the noise level, which must not reach zero
NOISE_FREQUENCIES = 32
NOISE_SHIFT = 2.0  # more of the steps at high noise, in the training as when a clip is made
ROPE_BASE = 100.0  # places run to a few dozen tokens only


class Codes(NamedTuple):
    """B clips of F frames, as the codec normalises them."""

    content: Tensor  # (B, parts, part_size): the scene, then each thing
    motion: Tensor  # (B, F, motion_size)
    sound: Tensor  # (B, F, sound_size)


class Source(NamedTuple):
    """What a clip starts from: an image's content and places, or a clip's content to be edited."""

    content: Tensor  # (B, parts, part_size)
    motion: Tensor  # (B, motion_size) of the first frame; zeros where the whole motion is given


class FoalTransformer(ModelMixin, ConfigMixin):
    """The joint model. Sizes of the codes are the codec's; frames come in pairs, F = 2 M."""

    config_name = "config.json"  # type: ignore[assignment]

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        parts: int,
        part_size: int,
        motion_size: int,
        sound_size: int,
        width: int = 128,
        layers: int = 8,
        heads: int = 4,
        kv_heads: int = 2,
        hidden: int = 256,
        outer: int = 2,
        words: int = 32,
        moments: int = 36,
        vocabulary: tuple[str, ...] = VOCABULARY,
        refining: bool = True,
        form: str = FORM,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.word_ids = {word: i + 2 for i, word in enumerate(vocabulary)}
        pair = FRAMES_PER_TOKEN
        self.word = nn.Embedding(len(vocabulary) + 2, width)
        self.word_place = nn.Parameter(0.02 * torch.randn(words, width))
        self.part = nn.Parameter(0.02 * torch.randn(parts, width))
        self.moment = nn.Parameter(0.02 * torch.randn(moments, width))
        self.given = nn.Parameter(0.02 * torch.randn(parts + 1, width))
        self.enter_content = nn.Linear(part_size, width)
        self.enter_motion = nn.Linear(pair * motion_size, width)
        self.enter_sound = nn.Linear(pair * sound_size, width)
        if refining:
            self.guess_content = _silent(part_size, width)
            self.guess_motion = _silent(pair * motion_size, width)
            self.guess_sound = _silent(pair * sound_size, width)
        self.enter_place = nn.Linear(motion_size, width)  # of an image's things
        self.leave_content = nn.Linear(width, part_size)
        self.leave_motion = nn.Linear(width, pair * motion_size)
        self.leave_sound = nn.Linear(width, pair * sound_size)
        self.noise = nn.Sequential(
            nn.Linear(2 * NOISE_FREQUENCIES, width), nn.SiLU(), nn.Linear(width, width)
        )
        shape = StreamShape(width, layers, heads, kv_heads, width // heads, hidden, outer)
        self.stream = Stream(shape)

    def tokenize(self, texts: list[str]) -> tuple[Tensor, list[tuple[str, ...]]]:
        """Word ids (B, words), and for each text what is not read of it: words without an id, each
        once, how many found no room, and whether there is nothing at all to go by.

        Where a text is too long, unknown words make room before known ones do.
        """
        config: Any = self.config
        rows, lost = [], []
        for text in texts:
            spoken = split_words(text)
            unknown = [word for word in spoken if word not in self.word_ids]
            if len(spoken) > config.words:
                spoken = [word for word in spoken if word in self.word_ids]
            told = list(dict.fromkeys(unknown))
            if len(spoken) > config.words:
                told.append(f"({len(spoken) - config.words} words beyond the first {config.words})")
            if not any(word in self.word_ids for word in spoken):
                told.append("(no word that it knows)")
            lost.append(tuple(told))
            ids = [self.word_ids.get(word, UNKNOWN) for word in spoken[: config.words]]
            rows.append(ids + [PAD] * (config.words - len(ids)))
        return torch.tensor(rows), lost

    def forward(
        self,
        words: Tensor,
        noisy: Codes,
        noise: Tensor,
        source: Source | None = None,
        guess: Codes | None = None,
    ) -> Codes:
        """Clean codes from noisy ones.

        A refining model takes its own last guess of the clean codes as well (self-conditioning:
        Chen, Zhang and Hinton 2022, section 3.2), so that every step goes on from the one before.

        Args:
            words: ids, (B, words).
            noisy: the codes with noise in them.
            noise: share of noise in content, motion and sound, (B, 3), 0 clean to 1 all noise.
            source: what the clips start from, if anything.
            guess: what was found at a higher noise level, if anything.

        Returns:
            Clean content, motion and sound, shapes as given.
        """
        moments = noisy.motion.shape[1] // FRAMES_PER_TOKEN
        steps = torch.arange(moments, device=words.device)
        video, sound = self._enter(noisy, noise, source, guess, steps)
        text = self.word(words) + self.word_place
        still = video.shape[1] - moments
        lead = torch.zeros(words.shape[1] + still, device=words.device)
        rotary = self.rotary(torch.cat([lead, steps + 1.0, steps + 1.0]))
        lengths = (text.shape[1], video.shape[1], sound.shape[1])
        x = self.stream(torch.cat([text, video, sound], dim=1), lengths, rotary)
        return self._leave(x[:, lengths[0] :], noisy, still, moments)

    def _enter(
        self,
        noisy: Codes,
        noise: Tensor,
        source: Source | None,
        guess: Codes | None,
        steps: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Tokens of video and sound. Codes enter and leave in their own precision, also in
        training: half precision would shake a place by a fifth of a pixel.
        """
        count = len(steps)
        with torch.autocast(steps.device.type, enabled=False):
            level = self.noise(wave_features(noise.flatten()).to(noisy.motion.dtype))
            level = torch.unflatten(level, 0, noise.shape)
            content = self.enter_content(noisy.content) + self.part + level[:, :1]
            motion = self.enter_motion(_fold(noisy.motion, count)) + level[:, 1:2]
            sound = self.enter_sound(_fold(noisy.sound, count)) + level[:, 2:]
            if guess is not None:
                content = content + self.guess_content(guess.content)
                motion = motion + self.guess_motion(_fold(guess.motion, count))
                sound = sound + self.guess_sound(_fold(guess.sound, count))
            given = []
            if source is not None:
                place = self.enter_place(source.motion)[:, None]
                given = [torch.cat([self.enter_content(source.content), place], 1) + self.given]
        # A clip longer than those of the training goes on with the last moment's embedding.
        when = self.moment[steps.clamp(max=len(self.moment) - 1)]
        return torch.cat([*given, content, motion + when], dim=1), sound + when

    def _leave(self, x: Tensor, noisy: Codes, still: int, moments: int) -> Codes:
        parts = noisy.content.shape[1]
        with torch.autocast(x.device.type, enabled=False):
            x = x.to(self.leave_motion.weight.dtype)
            content = self.leave_content(x[:, still - parts : still])
            motion = self.leave_motion(x[:, still : still + moments])
            sound = self.leave_sound(x[:, still + moments :])
        return Codes(content, motion.reshape(noisy.motion.shape), sound.reshape(noisy.sound.shape))

    def rotary(self, times: Tensor) -> Rotary:
        """Cosines and sines of every token's time for half of each head, (T, head_size / 4)."""
        config: Any = self.config
        pairs = config.width // config.heads // 4
        rates = ROPE_BASE ** -(torch.arange(pairs, device=times.device) / pairs)
        turns = times[:, None] * rates
        return turns.cos(), turns.sin()


def _silent(inputs: int, outputs: int) -> nn.Linear:
    """A linear map that gives zero before it is trained: it can be added to a trained model."""
    made = nn.Linear(inputs, outputs, bias=False)
    nn.init.zeros_(made.weight)
    return made


def _fold(part: Tensor, tokens: int) -> Tensor:
    return part.reshape(len(part), tokens, -1)


def wave_features(noise: Tensor) -> Tensor:
    """Sines and cosines of a noise level, (B,) -> (B, 2 * NOISE_FREQUENCIES)."""
    rates = torch.exp(torch.linspace(0, math.log(200.0), NOISE_FREQUENCIES, device=noise.device))
    turns = noise.float()[:, None] * rates
    return torch.cat([turns.sin(), turns.cos()], dim=1)


def velocity(noisy: Tensor, clean: Tensor, noise: Tensor) -> Tensor:
    """Flow matching's direction from clean to noise: (x_t - x_0) / t, shapes (B, ...) and (B,)."""
    return (noisy - clean) / like(noise.clamp(min=LEAST_NOISE), noisy)


def like(level: Tensor, part: Tensor) -> Tensor:
    """A level a clip, (B,), in the shape that a part of codes (B, ...) is multiplied by."""
    return level.reshape(-1, *[1] * (part.dim() - 1))


def shift_noise(level: Any, shift: float) -> Any:
    """Noise levels, evenly spread, moved towards noise; a shift below 1 moves to clean codes."""
    return shift * level / (1 + (shift - 1) * level)


def predict(
    model: FoalTransformer,
    words: Tensor,
    noisy: Codes,
    level: Tensor,
    source: Source | None,
    kept: Tensor | None,
    guess: Codes | None = None,
) -> Codes:
    """Clean codes from codes of one noise level a clip, (B,).

    Of an edit the motion is known, `kept` (B, F, motion_size): it is clean, not to be found.
    """
    levels = level[:, None].repeat(1, 3)
    if kept is not None:
        noisy, levels[:, 1] = noisy._replace(motion=kept), 0
    clean: Codes = model(words, noisy, levels, source, guess)
    return clean
