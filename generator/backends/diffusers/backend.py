"""The diffusers backend: any pipeline that makes video, with or without sound."""

import inspect
from datetime import UTC, datetime
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from generator.backends.diffusers import memory_check as room
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
    read_warnings,
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
# Sums come out in another order, and so in other bits, on another number of threads: one for each
# worker, and as many workers as cores, keeps clips the same however many workers there are.
THREADS_ON_CPU = 1


class DiffusersBackend:
    """Loads a pipeline from a local folder or a hub id, safetensors only, and calls it."""

    libraries = ("torch", "diffusers", "transformers")

    def __init__(self, entrant: Entrant) -> None:
        self.entrant = entrant
        self._pipeline: Any = None
        self._ladder: OomFallback | None = None
        self._weights_sha256: str | None = None
        self._threads_before: int | None = None

    @cached_property
    def options(self) -> Options:
        """What the spec says, checked when it is first asked for."""
        return read_options(self.entrant)

    @property
    def workers(self) -> int | None:
        """One on a GPU, which one pipeline fills; else as many as memory and cores are there."""
        if self.options.device != "cpu":
            return 1
        if self.options.is_hub_id:
            return None
        folder = Path(self.options.model)
        index = check_folder(self.entrant.name, folder)
        return room.max_processes(folder, index, self.options)

    def check(self, track: TrackSettings) -> None:
        """Refuse wrong options, folders and weights, and arguments the pipeline does not have."""
        name, options = self.entrant.name, self.options
        index = None if options.is_hub_id else check_folder(name, Path(options.model))
        if index is not None:
            check_parts(name, options, index)
        elif options.pipeline is None:
            return  # the class is known when the hub's folder is here
        kind = pipeline_class(name, options, index)
        check_call(self.entrant, kind.__call__)
        check_modality(self.entrant, kind.__call__, track.modality)
        if track.audio and options.sample_rate is None and not may_have_sound(kind):
            raise SpecError(
                f"{name}: {kind.__name__} makes no sound, and clips of the track {track.name} "
                "are heard; remove the track, or set backend.sample_rate if it does make some."
            )

    def __enter__(self) -> Self:
        import torch
        from diffusers.utils import logging
        from transformers.utils import logging as transformers_logging

        logging.disable_progress_bar()  # a run has a bar of its own
        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        name, options = self.entrant.name, self.options
        folder = download(name, options) if options.is_hub_id else Path(options.model)
        index = check_folder(name, folder)
        check_parts(name, options, index)
        kind = pipeline_class(name, options, index)
        check_call(self.entrant, kind.__call__)
        room.check_model_fits(name, folder, index, options)
        self._pipeline = load(name, folder, kind, options)
        prompts = cache_prompts(self._pipeline)
        self._ladder = OomFallback(
            self._pipeline,
            name=name,
            device=options.device,
            offload=options.offload,
            tiled=options.vae_tiling,
            movable=options.device_map is None,
            forget=None if prompts is None else prompts.forget,
        )
        self._weights_sha256 = hash_folder(folder)
        if options.device == "cpu":
            self._threads_before = torch.get_num_threads()
            torch.set_num_threads(THREADS_ON_CPU)
            reuse_freed_memory()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        import torch

        self._pipeline = self._ladder = None
        if self._threads_before is not None:
            torch.set_num_threads(self._threads_before)
            self._threads_before = None
        empty_cache(self.options.device)

    def generate(self, request: ClipRequest) -> tuple[RawClip, Provenance]:
        """One clip of one seed, on a generator of its own, which is the same on every device."""
        import torch

        pipeline, ladder, track = self._pipeline, self._ladder, request.track
        name, options = self.entrant.name, self.options
        if pipeline is None or ladder is None:
            raise BackendError(f"{name} is not loaded; enter its backend first.")
        if request.weights_sha256 not in (None, self._weights_sha256):
            raise BackendError(
                f"{name}: its weights are not those that its other clips were made with (SHA-256 "
                f"{str(self._weights_sha256)[:12]}, not {str(request.weights_sha256)[:12]}); put "
                "these back, or enter the new ones under another name."
            )
        check_modality(self.entrant, pipeline.__call__, track.modality)
        fps = track.fps if options.fps is None else options.fps
        arguments = self._arguments(request, fps)

        watched = progress_callback(pipeline, call=pipeline.__call__)

        def call() -> Any:
            seeded = torch.Generator("cpu").manual_seed(request.seed)
            with torch.inference_mode():
                return pipeline(**arguments.passed, **watched, generator=seeded)

        meter = Meter(on_gpu=options.on_gpu, gpus=self._gpus())
        with meter:
            output, steps_down = ladder.run(call)
        raw = read_output(
            output, name=name, pipeline=pipeline, fps=fps, sample_rate=options.sample_rate
        )
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
            dropped=without_media(arguments.dropped),
            adapted=(*steps_down, *cropped),
            warnings=read_warnings(output),
            versions=installed_versions(PACKAGES),
            hardware=meter.hardware,
            device=options.device,
            dtype=options.dtype,
            options=options.told(),
            steps=_steps(pipeline, arguments),
            guidance=_number(pipeline, arguments, "guidance_scale"),
            seconds=meter.seconds,
            gpu_seconds=meter.gpu_seconds,
            energy_joules=meter.energy_joules,
            peak_memory_bytes=meter.peak_memory_bytes,
            created_at=datetime.now(UTC),
        )

    def _arguments(self, request: ClipRequest, fps: Fraction) -> CallArguments:
        """The call's, with the source made as large and as long as the clip will be."""
        pipeline, track = self._pipeline, request.track
        arguments = build_call(
            pipeline,
            track,
            fps=fps,
            call=dict(self.entrant.backend.call),
            given={"prompt": request.prompt, "output_type": "np"},
        )
        passed = arguments.passed
        canvas = TargetFormat(
            width=passed.get("width", track.width),
            height=passed.get("height", track.height),
            frames=next((passed[name] for name in FRAME_COUNT if name in passed), 1),
            fps=fps,
            multiple=size_multiple(pipeline),
        )
        names = SOURCE.get(track.modality, ())
        passed |= read_source(request, names=names, call=pipeline.__call__, canvas=canvas)
        return arguments

    def _gpus(self) -> tuple[int, ...]:
        """Numbers of the GPUs that the pipeline is on."""
        if not self.options.on_gpu:
            return ()
        import torch

        placed = getattr(self._pipeline, "hf_device_map", None)
        devices = placed.values() if isinstance(placed, dict) else (self.options.device,)
        found = {torch.device(device) for device in devices if device not in ("cpu", "disk")}
        return tuple(sorted({device.index or 0 for device in found}))


def _steps(pipeline: Any, arguments: CallArguments) -> int | None:
    """Steps as they ran, which a list of timesteps or a scheduler of higher order decides too."""
    ran = getattr(pipeline, "num_timesteps", None)
    if isinstance(ran, int) and ran > 0:
        return ran
    asked = _number(pipeline, arguments, "num_inference_steps")
    return None if asked is None else int(asked)


def _number(pipeline: Any, arguments: CallArguments, key: str) -> float | None:
    """A number as passed, or as the pipeline's call has it by default."""
    parameter = inspect.signature(pipeline.__call__).parameters.get(key)
    value = arguments.passed.get(key, None if parameter is None else parameter.default)
    return float(value) if isinstance(value, int | float) else None
