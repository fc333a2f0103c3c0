"""One clip from noise to file, with a watch on every stage."""

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
from generator.fullsize.film import Film
from generator.fullsize.generate import Stage, denoise, enlarge, sample_noise
from generator.fullsize.kernels import fused_by
from generator.fullsize.layout import to_latents
from generator.fullsize.model import FullModel

BASE, REFINE, DECODE, ENCODE = "base", "refine", "decode", "encode"
SEED = 0


@dataclass(frozen=True)
class Taken:
    """What a stage of one run took: seconds, and the most memory that was held meanwhile."""

    seconds: float
    peak_bytes: int


@dataclass(frozen=True, eq=False)
class Run:
    """One clip: what each stage took, in the order of the stages, and the file."""

    stages: dict[str, Taken]
    file: bytes


class Rig:
    """Everything that a run needs and that stays from run to run."""

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
        self.waits = 0  # times that a watched stage's loop had the CPU wait for the GPU
        self.dtype = model.video_in.weight.dtype
        self.base = Stage.base(config, device, self.dtype)
        refinements = {
            name: Stage.refinement(config, name, device, self.dtype) for name in config.sizes
        }
        self.refinements = {name: stage for name, stage in refinements.items() if stage}

    def run(self, size: str, *, watched: bool = True) -> Run:
        """Make one clip of random features of a text.

        The encoding's time is what is left of it when the last frame has been decoded. `watched`
        counts what makes the CPU wait for a GPU while it denoises.

        Raises:
            BackendError: What came out are no finite numbers.
        """
        config, generator = self.config, torch.Generator(self.device).manual_seed(SEED)
        shape = (1, config.clip.text_tokens, config.transformer.text_channels)
        text = torch.randn(shape, device=self.device, dtype=self.dtype, generator=generator)
        noise = sample_noise(self.base, self.model, generator)
        taken: dict[str, Taken] = {}

        with self._timed(taken, BASE), self._undisturbed(watched):
            latents = denoise(self.model, text, noise, self.base)
        layout = self.base.layout
        if size in self.refinements:
            refinement = self.refinements[size]
            layout = refinement.layout
            with self._timed(taken, REFINE), self._undisturbed(watched):
                started = enlarge(latents, self.base, refinement, generator)
                latents = denoise(self.model, text, started, refinement, sound_too=False)
        with self._timed(taken, DECODE):
            width, height = config.sizes[size].width, config.sizes[size].height
            film = Film(width, height, config.clip.fps, sound_rate(config))
            film.add_sound(self.decoder.samples(latents.sound.to(self.dtype)))
            whole = to_latents(latents.video.to(self.dtype), layout)
            for frames in self.decoder.pictures(whole, config.sizes[size].chunk):
                film.add_frames(frames)
        with self._timed(taken, ENCODE):
            file = film.close()
        if not (latents.video.isfinite().all() and latents.sound.isfinite().all()):
            raise BackendError(
                f"The latents at {size} are not finite numbers: a kernel is at fault."
            )
        return Run(taken, file)

    @contextmanager
    def _timed(self, taken: dict[str, Taken], stage: str) -> Iterator[None]:
        with Meter(on_gpu=self.device.type == "cuda") as meter:
            yield
        taken[stage] = Taken(meter.seconds, meter.peak_memory_bytes)

    @contextmanager
    def _undisturbed(self, watched: bool) -> Iterator[None]:
        """Attention by the chosen kernel, and every wait for the device counted."""
        if not watched or self.device.type != "cuda":
            with fused_by(self.kernel):
                yield
            return
        with fused_by(self.kernel), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                yield
            finally:
                torch.cuda.set_sync_debug_mode("default")
        # What torch says of every call that makes the CPU wait until the GPU is done.
        self.waits += sum("called a synchronizing" in str(warning.message) for warning in caught)
