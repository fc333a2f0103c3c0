"""Generate one clip from noise to file, timing every stage."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch.nn.attention import SDPBackend

from generator.backends.meter import Meter
from generator.errors import BackendError
from generator.fullsize.config import FullConfig
from generator.fullsize.decode import ClipDecoder, sound_rate
from generator.fullsize.generate import Stage, denoise, sample_noise, upscale
from generator.fullsize.kernels import use_kernel
from generator.fullsize.layout import to_latents
from generator.fullsize.model import FullModel
from generator.fullsize.video_writer import VideoWriter

BASE, REFINE, DECODE, ENCODE = "base", "refine", "decode", "encode"
SEED = 0


@dataclass(frozen=True)
class StageCost:
    """Time and peak memory of a stage of one run."""

    seconds: float
    peak_bytes: int


@dataclass(frozen=True, eq=False)
class Run:
    """One clip: the cost of each stage, in order, and the MP4 file."""

    stages: dict[str, StageCost]
    file: bytes


class Runner:
    """Everything that stays the same from run to run."""

    def __init__(
        self,
        config: FullConfig,
        model: FullModel,
        decoder: ClipDecoder,
        device: torch.device,
        kernel: SDPBackend | None,
    ) -> None:
        self.config = config
        self.model = model
        self.decoder = decoder
        self.device = device
        self.kernel = kernel
        self.waits = 0  # how often a watched denoising loop made the CPU wait for the GPU
        self.dtype = model.video_in.weight.dtype
        self.base = Stage.base(config, device, self.dtype)
        refinements = {
            name: Stage.refinement(config, name, device, self.dtype) for name in config.sizes
        }
        self.refinements = {name: stage for name, stage in refinements.items() if stage}

    def run(self, size: str, *, watched: bool = True) -> Run:
        """Generate one clip from random text features.

        The time of encoding is measured from the last decoded frame. `watched` counts the calls
        that make the CPU wait for the GPU while denoising.

        Raises:
            BackendError: The latents are not finite.
        """
        config, generator = self.config, torch.Generator(self.device).manual_seed(SEED)
        shape = (1, config.clip.text_tokens, config.transformer.text_channels)
        text = torch.randn(shape, device=self.device, dtype=self.dtype, generator=generator)
        noise = sample_noise(self.base, self.model, generator)
        costs: dict[str, StageCost] = {}

        with self._timed(costs, BASE), self._denoising(watched):
            latents = denoise(self.model, text, noise, self.base)
        layout = self.base.layout
        if size in self.refinements:
            refinement = self.refinements[size]
            layout = refinement.layout
            with self._timed(costs, REFINE), self._denoising(watched):
                upscaled = upscale(latents, self.base, refinement, generator)
                latents = denoise(self.model, text, upscaled, refinement, update_sound=False)
        with self._timed(costs, DECODE):
            width, height = config.sizes[size].width, config.sizes[size].height
            writer = VideoWriter(width, height, config.clip.fps, sound_rate(config))
            writer.add_sound(self.decoder.samples(latents.sound.to(self.dtype)))
            video_latents = to_latents(latents.video.to(self.dtype), layout)
            for frames in self.decoder.pictures(video_latents, config.sizes[size].chunk):
                writer.add_frames(frames)
        with self._timed(costs, ENCODE):
            file = writer.close()
        if not (latents.video.isfinite().all() and latents.sound.isfinite().all()):
            raise BackendError(
                f"The latents at {size} are not finite: a kernel has computed wrong numbers."
            )
        return Run(costs, file)

    @contextmanager
    def _timed(self, costs: dict[str, StageCost], stage: str) -> Iterator[None]:
        with Meter(on_gpu=self.device.type == "cuda") as meter:
            yield
        costs[stage] = StageCost(meter.seconds, meter.peak_memory_bytes)

    @contextmanager
    def _denoising(self, watched: bool) -> Iterator[None]:
        """Use the chosen attention kernel, and count the waits for the device."""
        if not watched or self.device.type != "cuda":
            with use_kernel(self.kernel):
                yield
            return
        with use_kernel(self.kernel), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                yield
            finally:
                torch.cuda.set_sync_debug_mode("default")
        # Torch warns of every call that makes the CPU wait for the GPU.
        self.waits += sum("called a synchronizing" in str(warning.message) for warning in caught)
