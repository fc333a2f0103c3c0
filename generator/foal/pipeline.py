"""Clips with sound from a text, an image or a clip: FoalPipeline, loaded by `from_pretrained`."""

import logging
import math
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any

import numpy as np
import torch
from diffusers.pipelines.pipeline_utils import DiffusionPipeline
from diffusers.schedulers.scheduling_flow_match_euler_discrete import (
    FlowMatchEulerDiscreteScheduler,
)
from torch import Tensor

from generator.foal.model import states
from generator.foal.model.codec import FoalCodec, denormalize, normalize, read_at
from generator.foal.model.latents import (
    Generators,
    count_numbers,
    draw_noise,
    pack,
    renew_noise,
    unpack,
)
from generator.foal.model.transformer import (
    FRAMES_PER_TOKEN,
    Codes,
    FoalTransformer,
    Source,
    predict,
    velocity,
)
from generator.foal.pipeline_output import FoalPipelineOutput
from generator.foal.world import sound
from generator.foal.world.clip import FRAME_RATE
from generator.foal.world.pictures import SMALLEST_PIXELS, Picture, as_array, as_output

logger = logging.getLogger(__name__)

FAINTEST = 0.035  # root amplitude below which a band is silent: no hum under the clip
OUTPUT_TYPES = ("np", "pt", "pil", "latent")
StepCallback = Callable[["FoalPipeline", int, int, dict[str, Any]], dict[str, Any]]


class FoalPipeline(DiffusionPipeline):
    """The built-in miniature: one stream of words, pictures and sound, decoded at any size.

    The world runs at 24 frames/s; for another frame rate its paths are read at other moments.
    """

    model_cpu_offload_seq = "transformer->codec"  # type: ignore[assignment]
    _callback_tensor_inputs = ("latents",)
    codec: FoalCodec
    transformer: FoalTransformer
    scheduler: Any  # its signatures ask for tensor types that torch no longer makes

    def __init__(
        self,
        codec: FoalCodec,
        transformer: FoalTransformer,
        scheduler: FlowMatchEulerDiscreteScheduler,
    ) -> None:
        super().__init__()
        _refuse_mismatch(codec, transformer)
        self.register_modules(  # type: ignore[no-untyped-call]
            codec=codec, transformer=transformer, scheduler=scheduler
        )
        self._interrupt = False
        self._num_timesteps = 0

    def encode_prompt(self, prompt: str | list[str]) -> tuple[Tensor, list[tuple[str, ...]]]:
        """Word ids (B, words), and the unknown words of each prompt (also logged)."""
        prompts = [prompt] if isinstance(prompt, str) else prompt
        words, unknown = self.transformer.tokenize(prompts)
        for text, lost in zip(prompts, unknown, strict=True):
            if lost:
                logger.warning("Foal does not know: %s (prompt %r).", ", ".join(lost), text)
        return words.to(self.transformer.device), unknown

    def check_inputs(
        self,
        prompt: object,
        height: int,
        width: int,
        num_frames: int,
        frame_rate: float,
        num_inference_steps: int,
        eta: float,
        output_type: str,
    ) -> None:
        """Refuse what cannot be made.

        Raises:
            ValueError: one sentence on the argument that is wrong.
        """
        texts = prompt if isinstance(prompt, list) else [prompt]
        if not texts or not all(isinstance(text, str) for text in texts):
            raise ValueError("prompt must be a text or a list of texts.")
        whole = {
            "height": height,
            "width": width,
            "num_frames": num_frames,
            "num_inference_steps": num_inference_steps,
        }
        for name, value in whole.items():
            if not isinstance(value, int):
                raise ValueError(f"{name} must be a whole number, not {value!r}.")
        for name, number in (("frame_rate", frame_rate), ("eta", eta)):
            if not isinstance(number, Real) or not math.isfinite(number):
                raise ValueError(f"{name} must be a number, not {number!r}.")
        if min(height, width) < SMALLEST_PIXELS:
            raise ValueError(
                f"a picture has at least {SMALLEST_PIXELS} pixels a side, not {height} x {width}."
            )
        if num_frames < 1 or frame_rate <= 0 or num_inference_steps < 1:
            raise ValueError("num_frames, frame_rate and num_inference_steps must be above zero.")
        if not 0 <= eta <= 1:
            raise ValueError(f"eta must be between 0 and 1, not {eta}.")
        if output_type not in OUTPUT_TYPES:
            raise ValueError(f"output_type must be one of {', '.join(OUTPUT_TYPES)}.")

    def prepare_latents(
        self,
        batch: int,
        moments: int,
        generator: Generators,
        latents: Tensor | None = None,
    ) -> Tensor:
        """Noise for content, motion and sound of `moments` pairs of frames, laid end to end.

        Drawn on the CPU, so that a seed gives the same clip on every device; a list of generators
        gives every clip its own. Shape (batch, content + frames * (motion + sound)).
        """
        frames = moments * FRAMES_PER_TOKEN
        size = count_numbers(frames)
        if latents is None:
            latents = draw_noise(batch, size, generator)
        if latents.shape != (batch, size):
            raise ValueError(
                f"latents must have shape {(batch, size)}, not {tuple(latents.shape)}."
            )
        return latents.to(self.transformer.device, torch.float32)

    def decode_latents(
        self, latents: Tensor, *, height: int, width: int, num_frames: int, frame_rate: float
    ) -> tuple[Tensor, Tensor]:
        """Films (B, num_frames, height, width, 3) and audio (B, 2, samples) of clean latents."""
        codes = Codes(*(part.float().to(self.codec.device) for part in unpack(latents)))
        content, motion, heard = denormalize(codes)
        at = torch.arange(num_frames, device=motion.device) * (FRAME_RATE / frame_rate)
        motion = read_at(motion, at)
        films = self.codec.decode(content, motion, height=height, width=width)
        samples = round(num_frames / frame_rate * self.audio_sample_rate)
        roots = (
            torch.unflatten(heard, 2, (-1, sound.BANDS)).flatten(1, 2).clamp(min=0).cpu().numpy()
        )
        waves = []
        for root in roots:
            bands = np.where(root < FAINTEST, 0, np.minimum(root, 1.1) ** 2).astype(np.float32)
            wave = sound.play(bands, sample_rate=self.audio_sample_rate)[:samples]
            waves.append(np.pad(wave, (0, samples - len(wave))))
        audio = torch.from_numpy(np.stack(waves))[:, None].expand(-1, 2, -1)
        return films, audio.contiguous()

    @property
    def audio_sample_rate(self) -> int:
        """Samples a second of the audio that comes out."""
        return sound.SAMPLE_RATE

    @property
    def num_timesteps(self) -> int:
        return self._num_timesteps

    @property
    def interrupt(self) -> bool:
        return self._interrupt

    @torch.no_grad()
    def __call__(
        self,
        prompt: str | list[str],
        image: Picture | None = None,
        video: Sequence[Picture] | np.ndarray | None = None,
        height: int = 256,
        width: int = 256,
        num_frames: int = 72,
        frame_rate: float = FRAME_RATE,
        num_inference_steps: int = 8,
        eta: float = 0.0,
        generator: Generators = None,
        latents: Tensor | None = None,
        output_type: str = "np",
        return_dict: bool = True,
        callback_on_step_end: StepCallback | None = None,
    ) -> FoalPipelineOutput | tuple[Any, Tensor]:
        """Make a clip for every prompt.

        Args:
            prompt: what to show; any text is taken, unknown words are reported.
            image: what the clip begins with; things and places are read off it.
            video: a clip to be edited as the prompt says; its motion stays.
            height: of the pictures; the decoder has no resolution of its own.
            width: of the pictures.
            num_frames: of the clip. The model was trained on clips of 3 s.
            frame_rate: frames a second, of `video` as well.
            num_inference_steps: of denoising.
            eta: how much of the noise in a clip is drawn anew after a step, 0 none to 1 as in the
                diffusion's own reverse (Song, Meng and Ermon 2021, equation 16).
            generator: on the CPU, one, or one a prompt.
            latents: noise to start from, instead of the generator's.
            output_type: "np", "pt", "pil" or "latent".
            return_dict: False gives a plain tuple (frames, audio).
            callback_on_step_end: called as (pipeline, step, timestep, {"latents": ...}).

        Raises:
            ValueError: one sentence on the argument that is wrong.

        Examples:
            >>> pipe = FoalPipeline.from_pretrained("generator/foal/weights/large")
            >>> clip = pipe("a red ball bounces", generator=torch.Generator().manual_seed(1))
            >>> clip.frames.shape, clip.audio.shape
            ((1, 72, 256, 256, 3), torch.Size([1, 2, 144000]))
        """
        # 1. Check, and read the prompt
        self.check_inputs(
            prompt, height, width, num_frames, frame_rate, num_inference_steps, eta, output_type
        )
        if image is not None and video is not None:
            raise ValueError("a clip begins with an image or is made of a video, not both.")
        self._interrupt = False
        words, unknown = self.encode_prompt(prompt)

        # 2. Noise for the moments of the world that the clip needs, and what it starts from
        world_frames = math.ceil(num_frames * FRAME_RATE / frame_rate)
        moments = max(1, math.ceil(world_frames / FRAMES_PER_TOKEN))
        latents = self.prepare_latents(len(words), moments, generator, latents)
        source, kept = self.read_source(image, video, len(words), moments, frame_rate)

        # 3. Denoise
        self.scheduler.set_timesteps(num_inference_steps, device=latents.device)
        timesteps = self.scheduler.timesteps
        self._num_timesteps = len(timesteps)
        guess: Codes | None = None
        with self.progress_bar(total=len(timesteps)) as bar:
            for i, timestep in enumerate(timesteps):
                if self._interrupt:
                    continue
                latents, guess = self._step(words, latents, timestep, source, kept, guess)
                before, reached = (float(self.scheduler.sigmas[at]) for at in (i, i + 1))
                latents = renew_noise(latents, guess, before, reached, eta, generator)
                if callback_on_step_end is not None:
                    given = {"latents": latents}
                    latents = callback_on_step_end(self, i, int(timestep), given).pop(
                        "latents", latents
                    )
                bar.update()
        if kept is not None:
            latents = pack(unpack(latents)._replace(motion=kept))

        # 4. Decode
        films, audio = self.decode_latents(
            latents, height=height, width=width, num_frames=num_frames, frame_rate=frame_rate
        )
        frames: Any = latents if output_type == "latent" else as_output(films, output_type)
        self.maybe_free_model_hooks()  # type: ignore[no-untyped-call]
        if not return_dict:
            return frames, audio
        return FoalPipelineOutput(frames=frames, audio=audio, unknown_words=unknown)

    def read_source(
        self,
        image: Picture | None,
        video: Sequence[Picture] | np.ndarray | None,
        clips: int,
        moments: int,
        frame_rate: float,
    ) -> tuple[Source | None, Tensor | None]:
        """What clips start from, and the motion (clips, F, motion_size) that an edit keeps."""
        if image is not None:
            film = as_array(image)[None]
        elif video is not None:
            film = np.stack([as_array(one) for one in video])
        else:
            return None, None
        content, motion = self.codec.encode(film)
        frames = moments * FRAMES_PER_TOKEN
        nothing = torch.zeros(1, 1, states.SOUND_SIZE)
        codes = Codes(*(part.expand(clips, -1, -1) for part in normalize(content, motion, nothing)))
        content, motion = (part.to(self.transformer.device) for part in codes[:2])
        if video is None:
            return Source(content, motion[:, 0]), None
        at = torch.arange(frames, device=motion.device) * (frame_rate / FRAME_RATE)
        kept = read_at(motion, at.clamp(max=motion.shape[1] - 1))
        return Source(content, torch.zeros_like(motion[:, 0])), kept

    def _step(
        self,
        words: Tensor,
        latents: Tensor,
        timestep: Tensor,
        source: Source | None,
        kept: Tensor | None,
        guess: Codes | None,
    ) -> tuple[Tensor, Codes]:
        """One step of the scheduler towards the clean codes that the transformer sees.

        Also returns these codes, from which a refining transformer goes on.
        """
        level = (timestep / self.scheduler.config.num_train_timesteps).expand(len(words))
        kind = self.transformer.dtype
        noisy = Codes(*(part.to(kind) for part in unpack(latents)))
        given = None if source is None else Source(*(part.to(kind) for part in source))
        motion = None if kept is None else kept.to(kind)
        refining: Any = self.transformer.config
        seen = guess if refining.refining else None
        clean = predict(self.transformer, words, noisy, level, given, motion, seen)
        direction = velocity(latents, pack(clean).float(), level)
        moved: Tensor = self.scheduler.step(direction, timestep, latents, return_dict=False)[0]
        return moved, clean


def _refuse_mismatch(codec: FoalCodec, transformer: FoalTransformer) -> None:
    """A transformer speaks only the codes that it was trained on.

    Raises:
        ValueError: it was trained on others.
    """
    forms = [getattr(part.config, "form", None) for part in (codec, transformer)]
    if forms[0] != forms[1]:
        raise ValueError(
            f"the codec's codes are {forms[0]!r} and the transformer's {forms[1]!r}: "
            "they do not belong together; take both from one training."
        )
