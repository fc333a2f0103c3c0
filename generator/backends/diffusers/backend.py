"""The diffusers backend: any pipeline that generates video, with or without sound."""

import inspect
from contextlib import ExitStack
from datetime import UTC, datetime
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from generator.backends.diffusers import memory_check
from generator.backends.diffusers.arguments import (
    FRAME_COUNT,
    SOURCE,
    CallArguments,
    build_call,
    check_call,
    check_modality,
    size_multiple,
)
from generator.backends.diffusers.loading import check_parts, download, load, pipeline_class
from generator.backends.diffusers.oom_fallback import OomFallback, empty_cache
from generator.backends.diffusers.options import Options, read_options
from generator.backends.diffusers.outputs import (
    crop_padding,
    may_have_sound,
    read_output,
    read_unknown_words,
)
from generator.backends.diffusers.progress import progress_callback
from generator.backends.diffusers.prompt_cache import cache_prompts
from generator.backends.diffusers.sources import TargetFormat, read_source, without_media
from generator.backends.diffusers.weights import check_folder, hash_folder
from generator.backends.meter import Meter, installed_versions
from generator.clips import ClipRequest, Provenance, RawClip
from generator.errors import BackendError, SpecError
from generator.memory import reuse_freed_memory
from generator.spec import Entrant, TrackSettings

PACKAGES = ("diffusers", "transformers", "accelerate", "torch", "safetensors", "av", "numpy")
# The number of threads changes the order of sums and so the bits of a clip. One thread per worker,
# and one worker per core, gives the same clips with any number of workers.
THREADS_ON_CPU = 1


class DiffusersBackend(ExitStack):
    """Loads a pipeline from a folder or a hub id, from safetensors only, and calls it."""

    libraries = ("torch", "diffusers", "transformers")

    def __init__(self, entrant: Entrant) -> None:
        super().__init__()
        self.entrant = entrant
        self._pipeline: Any = None
        self._fallback: OomFallback | None = None
        self._weights_sha256: str | None = None
        self._threads_before: int | None = None

    @cached_property
    def options(self) -> Options:
        """The spec's options, validated on first access."""
        return read_options(self.entrant)

    @property
    def workers(self) -> int | None:
        """One on a GPU; on the CPU, as many as the memory holds."""
        if self.options.device != "cpu":
            return 1
        if self.options.is_hub_id:
            return None
        folder = Path(self.options.model)
        index = check_folder(self.entrant.name, folder)
        return memory_check.max_processes(folder, index, self.options)

    def check(self, track: TrackSettings) -> None:
        """Reject invalid options, folders and weights, and arguments the pipeline does not have."""
        name, options = self.entrant.name, self.options
        index = None if options.is_hub_id else check_folder(name, Path(options.model))
        if index is not None:
            check_parts(name, options, index)
        elif options.pipeline is None:
            return  # the class is not known until the model is downloaded
        kind = pipeline_class(name, options, index)
        check_call(self.entrant, kind.__call__)
        check_modality(self.entrant, kind.__call__, track.modality)
        if track.audio and options.sample_rate is None and not may_have_sound(kind):
            raise SpecError(
                f"{name}: {kind.__name__} generates no sound, and the track {track.name} needs "
                "sound; remove the track, or set backend.sample_rate if it does generate sound."
            )

    def __enter__(self) -> Self:
        import torch
        from diffusers.utils import logging
        from transformers.utils import logging as transformers_logging

        logging.disable_progress_bar()  # the engine shows its own
        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        name, options = self.entrant.name, self.options
        folder = download(name, options) if options.is_hub_id else Path(options.model)
        index = check_folder(name, folder)
        check_parts(name, options, index)
        kind = pipeline_class(name, options, index)
        check_call(self.entrant, kind.__call__)
        memory_check.check_model_fits(name, folder, index, options)
        self._pipeline = load(name, folder, kind, options)
        prompt_cache = cache_prompts(self._pipeline)
        self._fallback = OomFallback(
            self._pipeline,
            name=name,
            device=options.device,
            offload=options.offload,
            tiled=options.vae_tiling,
            can_offload=options.device_map is None,
            clear_cache=None if prompt_cache is None else prompt_cache.clear,
        )
        self._weights_sha256 = hash_folder(folder)
        if options.device == "cpu":
            self._threads_before = torch.get_num_threads()
            torch.set_num_threads(THREADS_ON_CPU)
            reuse_freed_memory()
        self.callback(self._unload)
        return self

    def _unload(self) -> None:
        import torch

        self._pipeline = self._fallback = None
        if self._threads_before is not None:
            torch.set_num_threads(self._threads_before)
            self._threads_before = None
        empty_cache(self.options.device)

    def generate(self, request: ClipRequest) -> tuple[RawClip, Provenance]:
        """Generate one clip, seeded by a CPU generator, which is the same for every device."""
        import torch

        pipeline, fallback, track = self._pipeline, self._fallback, request.track
        name, options = self.entrant.name, self.options
        if pipeline is None or fallback is None:
            raise BackendError(f"{name} is not loaded; enter the backend's context first.")
        if request.weights_sha256 not in (None, self._weights_sha256):
            raise BackendError(
                f"{name}: its weights differ from those of its other clips (SHA-256 "
                f"{str(self._weights_sha256)[:12]}, not {str(request.weights_sha256)[:12]}); "
                "restore those, or add the new ones as an entrant with another name."
            )
        check_modality(self.entrant, pipeline.__call__, track.modality)
        fps = track.fps if options.fps is None else options.fps
        arguments = self._arguments(request, fps)
        callback = progress_callback(pipeline, call=pipeline.__call__)

        def call() -> Any:
            generator = torch.Generator("cpu").manual_seed(request.seed)
            with torch.inference_mode():
                return pipeline(**arguments.passed, **callback, generator=generator)

        meter = Meter(on_gpu=options.on_gpu, gpus=self._gpus())
        with meter:
            output, fallback_steps = fallback.run(call)
        raw = read_output(
            output, name=name, pipeline=pipeline, fps=fps, sample_rate=options.sample_rate
        )
        unknown = read_unknown_words(output)
        raw, cropped = crop_padding(raw, track, multiple=size_multiple(pipeline))
        scheduler = getattr(getattr(pipeline, "scheduler", None), "config", {})
        return raw, Provenance(
            backend="diffusers",
            pipeline_class=f"{type(pipeline).__module__}.{type(pipeline).__qualname__}",
            model=options.model if options.is_hub_id else Path(options.model).name,
            revision=options.revision,
            weights_sha256=self._weights_sha256,
            scheduler=dict(scheduler),
            seed=request.seed,
            call=without_media(arguments.passed),
            dropped=without_media(arguments.dropped) | ({"words": unknown} if unknown else {}),
            adapted=(*fallback_steps, *cropped),
            warnings=(f"unknown words: {', '.join(unknown)}",) if unknown else (),
            versions=installed_versions(PACKAGES),
            hardware=meter.hardware,
            device=options.device,
            dtype=options.dtype,
            options=options.as_provenance(),
            steps=_step_count(pipeline, arguments),
            guidance=_numeric_argument(pipeline, arguments, "guidance_scale"),
            seconds=meter.seconds,
            gpu_seconds=meter.gpu_seconds,
            energy_joules=meter.energy_joules,
            peak_memory_bytes=meter.peak_memory_bytes,
            created_at=datetime.now(UTC),
        )

    def _arguments(self, request: ClipRequest, fps: Fraction) -> CallArguments:
        """Build the call's arguments, including the source at the clip's size and length."""
        pipeline, track = self._pipeline, request.track
        arguments = build_call(
            pipeline,
            track,
            fps=fps,
            call=dict(self.entrant.backend.call),
            common={"prompt": request.prompt, "output_type": "np"},
        )
        passed = arguments.passed
        target = TargetFormat(
            width=passed.get("width", track.width),
            height=passed.get("height", track.height),
            frames=next((passed[name] for name in FRAME_COUNT if name in passed), 1),
            fps=fps,
            multiple=size_multiple(pipeline),
        )
        names = SOURCE.get(track.modality, ())
        passed |= read_source(request, names=names, call=pipeline.__call__, target=target)
        return arguments

    def _gpus(self) -> tuple[int, ...]:
        """CUDA indices of the GPUs that the pipeline is on."""
        if not self.options.on_gpu:
            return ()
        import torch

        placed = getattr(self._pipeline, "hf_device_map", None)
        devices = placed.values() if isinstance(placed, dict) else (self.options.device,)
        cuda = {torch.device(device) for device in devices if device not in ("cpu", "disk")}
        return tuple(sorted({device.index or 0 for device in cuda}))


def _step_count(pipeline: Any, arguments: CallArguments) -> int | None:
    """Denoising steps that ran; custom timesteps and higher-order schedulers change them."""
    count = getattr(pipeline, "num_timesteps", None)
    if isinstance(count, int) and count > 0:
        return count
    requested = _numeric_argument(pipeline, arguments, "num_inference_steps")
    return None if requested is None else int(requested)


def _numeric_argument(pipeline: Any, arguments: CallArguments, key: str) -> float | None:
    """An argument as passed, or the default of the pipeline's call."""
    parameter = inspect.signature(pipeline.__call__).parameters.get(key)
    value = arguments.passed.get(key, None if parameter is None else parameter.default)
    return float(value) if isinstance(value, int | float) else None
