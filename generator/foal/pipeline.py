"""Foal's diffusers pipeline: clips with sound from a text, an image or a video."""

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

# Imported so that loading a pipeline of an earlier release fails with the name of the converter.
import generator.foal.codec  # noqa: F401
from generator.foal.model import states
from generator.foal.model.base import PUBLIC_MODULE
from generator.foal.model.codec import (
    FoalCodec,
    denormalize,
    interpolate_motion,
    normalize,
)
from generator.foal.model.latents import (
    Generators,
    latent_size,
    pack,
    resample_noise,
    sample_noise,
    unpack,
)
from generator.foal.model.noise_schedule import velocity
from generator.foal.model.transformer import (
    FRAMES_PER_TOKEN,
    FoalTransformer,
    Latents,
    Source,
    predict_clean,
)
from generator.foal.pipeline_output import FoalPipelineOutput
from generator.foal.world import sound
from generator.foal.world.clip import FRAME_RATE
from generator.foal.world.pictures import SMALLEST_PIXELS, Picture, as_array, as_output
from generator.foal.world.rewriting import rewrite_prompt

logger = logging.getLogger(__name__)

SILENCE = 0.035  # square-root amplitude below which a band is silent: no hum under the clip
LOUDEST = 1.1  # square-root amplitude at which a band is clipped
OUTPUT_TYPES = ("np", "pt", "pil", "latent")
StepCallback = Callable[["FoalPipeline", int, int, dict[str, Any]], dict[str, Any]]


class FoalPipeline(DiffusionPipeline):
    """The built-in model: video and sound from one transformer, decoded at any size.

    Motion is generated at 24 frames/s and interpolated for other frame rates.
    """

    model_cpu_offload_seq = "transformer->codec"  # type: ignore[assignment]
    _callback_tensor_inputs = ("latents",)
    codec: FoalCodec
    transformer: FoalTransformer
    scheduler: Any  # diffusers annotates it with tensor types that torch no longer has

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
        # model_index.json names the package, so that modules inside it can be moved.
        self.register_to_config(  # type: ignore[no-untyped-call]
            codec=(PUBLIC_MODULE, FoalCodec.__name__),
            transformer=(PUBLIC_MODULE, FoalTransformer.__name__),
        )
        self._interrupt = False
        self._num_timesteps = 0

    def encode_prompt(self, prompt: str | list[str]) -> tuple[Tensor, list[tuple[str, ...]]]:
        """Word ids (B, words), and the unknown words of each prompt, which are logged too.

        Prompts in other words than those of the training are rewritten first.
        """
        prompts = [prompt] if isinstance(prompt, str) else prompt
        rewritten = [rewrite_prompt(text) for text in prompts]
        words, lost = self.transformer.tokenize([each.text for each in rewritten])
        unknown = [
            tuple(dict.fromkeys((*each.unknown, *problems)))
            for each, problems in zip(rewritten, lost, strict=True)
        ]
        for text, problems in zip(prompts, unknown, strict=True):
            if problems:
                logger.warning("Foal does not know: %s (prompt %r).", ", ".join(problems), text)
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
        """Check the arguments of a call.

        Raises:
            ValueError: an argument is invalid; one sentence says which.
        """
        texts = prompt if isinstance(prompt, list) else [prompt]
        if not texts or not all(isinstance(text, str) for text in texts):
            raise ValueError("prompt must be a text or a list of texts.")
        integers = {
            "height": height,
            "width": width,
            "num_frames": num_frames,
            "num_inference_steps": num_inference_steps,
        }
        for name, value in integers.items():
            if not isinstance(value, int):
                raise ValueError(f"{name} must be a whole number, not {value!r}.")
        for name, number in (("frame_rate", frame_rate), ("eta", eta)):
            if not isinstance(number, Real) or not math.isfinite(number):
                raise ValueError(f"{name} must be a number, not {number!r}.")
        if min(height, width) < SMALLEST_PIXELS:
            raise ValueError(
                f"height and width must be at least {SMALLEST_PIXELS} pixels, "
                f"not {height} x {width}."
            )
        if num_frames < 1 or frame_rate <= 0 or num_inference_steps < 1:
            raise ValueError("num_frames, frame_rate and num_inference_steps must be positive.")
        if not 0 <= eta <= 1:
            raise ValueError(f"eta must be between 0 and 1, not {eta}.")
        if output_type not in OUTPUT_TYPES:
            raise ValueError(f"output_type must be one of {', '.join(OUTPUT_TYPES)}.")

    def prepare_latents(
        self,
        batch: int,
        pairs: int,
        generator: Generators,
        latents: Tensor | None = None,
    ) -> Tensor:
        """Noise for content, motion and sound of `pairs` pairs of frames, (batch, latent_size).

        It is drawn on the CPU, so that a seed gives the same clip on every device; with a list of
        generators each clip has its own.

        Raises:
            ValueError: `latents` have another shape, or there is not one generator per clip.
        """
        size = latent_size(pairs * FRAMES_PER_TOKEN)
        if latents is None:
            latents = sample_noise(batch, size, generator)
        if latents.shape != (batch, size):
            raise ValueError(
                f"latents must have shape {(batch, size)}, not {tuple(latents.shape)}."
            )
        return latents.to(self.transformer.device, torch.float32)

    def decode_latents(
        self, latents: Tensor, *, height: int, width: int, num_frames: int, frame_rate: float
    ) -> tuple[Tensor, Tensor]:
        """Frames (B, num_frames, height, width, 3) and audio (B, 2, samples) of clean latents."""
        content, motion, roots = denormalize(
            Latents(*(part.float().to(self.codec.device) for part in unpack(latents)))
        )
        times = torch.arange(num_frames, device=motion.device) * (FRAME_RATE / frame_rate)
        motion = interpolate_motion(motion, times)
        frames = self.codec.decode(content, motion, height=height, width=width)
        # Shape: (B, F, SOUND_DIM) -> (B, hops, BANDS)
        roots = torch.unflatten(roots, 2, (-1, sound.BANDS)).flatten(1, 2).clamp(min=0)
        samples = round(num_frames / frame_rate * self.audio_sample_rate)
        waves = [self._play(clip, samples) for clip in roots.cpu().numpy()]
        mono = torch.from_numpy(np.stack(waves))
        # Shape: (B, samples) -> (B, 2, samples)
        return frames, mono[:, None].expand(-1, 2, -1).contiguous()

    def _play(self, roots: np.ndarray, samples: int) -> np.ndarray:
        """Samples of one clip's sound latents, (hops, BANDS) -> (samples,)."""
        loud = np.minimum(roots, LOUDEST) ** 2
        envelope = np.where(roots < SILENCE, 0, loud).astype(np.float32)
        wave = sound.play(envelope, sample_rate=self.audio_sample_rate)[:samples]
        return np.pad(wave, (0, samples - len(wave)))

    @property
    def audio_sample_rate(self) -> int:
        """Sample rate of the generated audio, Hz."""
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
        """Generate a clip for every prompt.

        Args:
            prompt: what to show; any text is accepted, unknown words are reported.
            image: the first frame; objects, positions and surroundings are read from it.
            video: a clip to edit as the prompt says; its motion is kept.
            height: of the pictures in pixels; any, since the decoder has no fixed resolution.
            width: of the pictures in pixels.
            num_frames: frames of the clip. The model was trained on clips of 3 s.
            frame_rate: frames per second, of `video` as well.
            num_inference_steps: denoising steps.
            eta: how much of the noise is replaced after each step: 0 for none, 1 for as much as in
                the reverse of the diffusion (Song, Meng and Ermon 2021, equation 16).
            generator: on the CPU, one for all clips or one per prompt.
            latents: noise to start from, instead of the generator's.
            output_type: "np", "pt", "pil" or "latent".
            return_dict: False to return a tuple (frames, audio).
            callback_on_step_end: called as (pipeline, step, timestep, {"latents": ...}).

        Raises:
            ValueError: an argument is invalid; one sentence says which.

        Examples:
            >>> pipe = FoalPipeline.from_pretrained("generator/foal/weights/large")
            >>> clip = pipe("a red ball bounces", generator=torch.Generator().manual_seed(1))
            >>> clip.frames.shape, clip.audio.shape
            ((1, 72, 256, 256, 3), torch.Size([1, 2, 144000]))
        """
        # 1. Check the arguments and encode the prompt
        self.check_inputs(
            prompt, height, width, num_frames, frame_rate, num_inference_steps, eta, output_type
        )
        if image is not None and video is not None:
            raise ValueError("image and video cannot be combined; pass one of them, not both.")
        self._interrupt = False
        words, unknown = self.encode_prompt(prompt)

        # 2. Prepare latents for as many frames of 24 frames/s as the clip needs, and the source
        world_frames = math.ceil(num_frames * FRAME_RATE / frame_rate)
        pairs = max(1, math.ceil(world_frames / FRAMES_PER_TOKEN))
        latents = self.prepare_latents(len(words), pairs, generator, latents)
        source, motion_cond = self.encode_source(image, video, len(words), pairs, frame_rate)

        # 3. Denoise
        self.scheduler.set_timesteps(num_inference_steps, device=latents.device)
        timesteps = self.scheduler.timesteps
        self._num_timesteps = len(timesteps)
        clean: Latents | None = None  # the last prediction, for self-conditioning
        with self.progress_bar(total=len(timesteps)) as bar:
            for i, timestep in enumerate(timesteps):
                if self._interrupt:
                    continue
                latents, clean = self._step(words, latents, timestep, source, motion_cond, clean)
                previous_sigma, sigma = self.scheduler.sigmas[i : i + 2].tolist()
                latents = resample_noise(latents, clean, previous_sigma, sigma, eta, generator)
                if callback_on_step_end is not None:
                    result = callback_on_step_end(self, i, int(timestep), {"latents": latents})
                    latents = result.pop("latents", latents)
                bar.update()
        if motion_cond is not None:
            latents = pack(unpack(latents)._replace(motion=motion_cond))

        # 4. Decode
        decoded, audio = self.decode_latents(
            latents, height=height, width=width, num_frames=num_frames, frame_rate=frame_rate
        )
        frames: Any = latents if output_type == "latent" else as_output(decoded, output_type)
        self.maybe_free_model_hooks()  # type: ignore[no-untyped-call]
        if not return_dict:
            return frames, audio
        return FoalPipelineOutput(frames=frames, audio=audio, unknown_words=unknown)

    def encode_source(
        self,
        image: Picture | None,
        video: Sequence[Picture] | np.ndarray | None,
        clips: int,
        pairs: int,
        frame_rate: float,
    ) -> tuple[Source | None, Tensor | None]:
        """What the clips start from, and the motion (clips, F, MOTION_DIM) that an edit keeps."""
        if image is not None:
            frames = as_array(image)[None]
        elif video is not None:
            frames = np.stack([as_array(picture) for picture in video])
        else:
            return None, None
        content, motion = self.codec.encode(frames)
        silence = torch.zeros(1, 1, states.SOUND_DIM)
        content, motion, _ = (
            part.expand(clips, -1, -1).to(self.transformer.device)
            for part in normalize(content, motion, silence)
        )
        if video is None:
            return Source(content, motion[:, 0]), None
        times = torch.arange(pairs * FRAMES_PER_TOKEN, device=motion.device)
        times = (times * (frame_rate / FRAME_RATE)).clamp(max=motion.shape[1] - 1)
        motion_cond = interpolate_motion(motion, times)
        return Source(content, torch.zeros_like(motion[:, 0])), motion_cond

    def _step(
        self,
        words: Tensor,
        latents: Tensor,
        timestep: Tensor,
        source: Source | None,
        motion_cond: Tensor | None,
        last_clean: Latents | None,
    ) -> tuple[Tensor, Latents]:
        """One step of the scheduler: the next latents, and the clean latents predicted for it."""
        sigma = (timestep / self.scheduler.config.num_train_timesteps).expand(len(words))
        dtype = self.transformer.dtype
        noisy = Latents(*(part.to(dtype) for part in unpack(latents)))
        if source is not None:
            source = Source(*(part.to(dtype) for part in source))
        if motion_cond is not None:
            motion_cond = motion_cond.to(dtype)
        config: Any = self.transformer.config
        self_cond = last_clean if config.self_cond else None
        clean = predict_clean(self.transformer, words, noisy, sigma, source, motion_cond, self_cond)
        direction = velocity(latents, pack(clean).float(), sigma)
        stepped: Tensor = self.scheduler.step(direction, timestep, latents, return_dict=False)[0]
        return stepped, clean


def _refuse_mismatch(codec: FoalCodec, transformer: FoalTransformer) -> None:
    """Refuse a transformer that was trained on other latents than the codec's.

    Raises:
        ValueError: the latent formats differ.
    """
    formats = [getattr(model.config, "latent_format", None) for model in (codec, transformer)]
    if formats[0] != formats[1]:
        raise ValueError(
            f"the codec's latents are {formats[0]!r} and the transformer's {formats[1]!r}, so they "
            "do not belong together; use both from one training."
        )
