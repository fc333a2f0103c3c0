"""The diffusers backend: any pipeline that makes video, with or without sound."""

import importlib
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from generator.backends import refuse_unknown_options
from generator.backends.arguments import SOURCE, arrange_call, check_call, size_multiple
from generator.backends.meter import Meter, installed_versions, plain
from generator.backends.outputs import crop_surplus, read_output, read_warnings
from generator.backends.sources import read_source, without_media
from generator.backends.steps import tell_steps
from generator.backends.weights import check_folder, hash_folder
from generator.errors import BackendError, SpecError
from generator.memory import reuse_freed_memory
from generator.spec import ClipRequest, Entrant, Provenance, RawClip, TrackSettings

OPTIONS = frozenset({"model", "pipeline", "revision", "dtype", "device", "fps"})
DTYPES = ("float32", "bfloat16", "float16")
DEVICES = ("auto", "cpu", "cuda", "mps")
MOST_FPS = 240
PACKAGES = ("diffusers", "transformers", "torch", "safetensors", "av", "numpy")
# Sums come out in another order, and so in other bits, on another number of threads: one for each
# worker, and as many workers as cores, keeps clips the same however many workers there are.
THREADS_ON_CPU = 1


class DiffusersBackend:
    """Loads a pipeline from a local folder or a hub id, safetensors only, and calls it."""

    def __init__(self, entrant: Entrant) -> None:
        self.entrant = entrant
        self.options = entrant.backend.options
        self._pipeline: Any = None
        self._weights_sha256: str | None = None
        self._threads_before: int | None = None

    @property
    def workers(self) -> int | None:
        """One on a GPU, which one pipeline fills; else as many as there are cores."""
        return None if self._device() == "cpu" else 1

    def check(self, track: TrackSettings) -> None:
        """Refuse wrong options, folders and weights, and arguments the pipeline does not have."""
        refuse_unknown_options(self.entrant, OPTIONS)
        self._choice("dtype", DTYPES)
        self._choice("device", DEVICES)
        self._fps(track)
        index = None if self._is_hub_id() else check_folder(self.entrant.name, Path(self._model()))
        if index is None and "pipeline" not in self.options:
            return  # the class is known when the hub's folder is here
        check_call(self.entrant, self._pipeline_class(index).__call__, track.modality)

    def __enter__(self) -> Self:
        import torch
        from diffusers.utils import logging
        from transformers.utils import logging as transformers_logging

        logging.disable_progress_bar()  # a run has a bar of its own
        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        model = self._download(self._model()) if self._is_hub_id() else self._model()
        index = check_folder(self.entrant.name, Path(model))
        pipeline = self._pipeline_class(index).from_pretrained(
            model,
            dtype=getattr(torch, self._choice("dtype", DTYPES)),
            use_safetensors=True,
            local_files_only=True,
        )
        device = self._device()
        self._pipeline = pipeline.to(device)
        self._pipeline.set_progress_bar_config(disable=True)
        self._weights_sha256 = hash_folder(Path(model))
        if device == "cpu":
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

        self._pipeline = None
        if self._threads_before is not None:
            torch.set_num_threads(self._threads_before)
            self._threads_before = None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def generate(self, request: ClipRequest) -> tuple[RawClip, Provenance]:
        """One clip of one seed, on a generator of its own, which is the same on every device."""
        import torch

        pipeline, track, name = self._pipeline, request.track, self.entrant.name
        if pipeline is None:
            raise BackendError(f"{name} is not loaded; enter its backend first.")
        fps = self._fps(track)
        given: dict[str, Any] = {"prompt": request.prompt, "output_type": "np"}
        given |= read_source(request, names=SOURCE.get(track.modality, ()), call=pipeline.__call__)
        arguments = arrange_call(
            pipeline, track, fps=fps, call=dict(self.entrant.backend.call), given=given
        )
        meter = Meter(on_gpu=self._device().startswith("cuda"))
        seeded = torch.Generator("cpu").manual_seed(request.seed)
        watched = tell_steps(pipeline, call=pipeline.__call__)
        with meter, torch.inference_mode():
            output = pipeline(**arguments.passed, **watched, generator=seeded)
        raw = read_output(output, name=name, pipeline=pipeline, fps=fps)
        raw, adapted = crop_surplus(raw, track, multiple=size_multiple(pipeline))
        scheduler = getattr(getattr(pipeline, "scheduler", None), "config", {})
        return raw, Provenance(
            backend="diffusers",
            pipeline_class=f"{type(pipeline).__module__}.{type(pipeline).__qualname__}",
            model=self._model() if self._is_hub_id() else Path(self._model()).name,
            revision=self.options.get("revision"),
            weights_sha256=self._weights_sha256,
            scheduler=plain(dict(scheduler)),
            seed=request.seed,
            call=plain(without_media(arguments.passed)),
            dropped=plain(without_media(arguments.dropped)),
            adapted=adapted,
            warnings=read_warnings(output),
            versions=installed_versions(PACKAGES),
            hardware=meter.hardware,
            seconds=meter.seconds,
            peak_memory_bytes=meter.peak_memory_bytes,
            created_at=datetime.now(UTC),
        )

    def _model(self) -> str:
        model = self.options.get("model")
        if not isinstance(model, str) or not model:
            raise SpecError(
                f"{self.entrant.name}: backend.model is missing; "
                "give the folder of a saved pipeline, or a hub id."
            )
        return model

    def _is_hub_id(self) -> bool:
        """An id is "owner/name"; paths were made absolute when the spec was read."""
        model = self._model()
        return model.count("/") == 1 and not model.startswith(("/", ".", "~"))

    def _download(self, model: str) -> str:
        import diffusers

        try:
            folder: str = diffusers.DiffusionPipeline.download(
                model, revision=self.options.get("revision"), use_safetensors=True
            )
        except OSError as error:
            raise BackendError(
                f"{self.entrant.name}: the model {model} is no folder here and the hub does not "
                f"give it ({type(error).__name__}); check backend.model and the connection."
            ) from error
        return folder

    def _choice(self, key: str, choices: tuple[str, ...]) -> str:
        value = self.options.get(key, choices[0])
        if value not in choices:
            raise SpecError(
                f"{self.entrant.name}: backend.{key} is {value!r}; use one of {', '.join(choices)}."
            )
        return str(value)

    def _device(self) -> str:
        device = self._choice("device", DEVICES)
        if device != "auto":
            return device
        import torch

        return "cuda" if torch.cuda.is_available() else "cpu"

    def _fps(self, track: TrackSettings) -> Fraction:
        """The rate of the model's own frames, which no model's files say: the spec or the track."""
        written = self.options.get("fps")
        if written is None:
            return track.fps
        try:
            fps = Fraction(str(written))
        except ValueError:
            fps = Fraction(0)
        if not 0 < fps <= MOST_FPS:
            raise SpecError(
                f"{self.entrant.name}: backend.fps is {written!r}; "
                "give the frames a second that the model makes, such as 16."
            )
        return fps

    def _pipeline_class(self, index: dict[str, Any] | None) -> Any:
        named = self.options.get("pipeline")
        if named is None:
            named = f"diffusers:{(index or {}).get('_class_name')}"
        module, _, name = str(named).partition(":")
        try:
            found = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError, ValueError):
            raise SpecError(
                f"{self.entrant.name}: there is no pipeline {named} here; install its package or "
                'set backend.pipeline to "package.module:Class".'
            ) from None
        if not (isinstance(found, type) and hasattr(found, "from_pretrained") and callable(found)):
            raise SpecError(f"{self.entrant.name}: {named} is no pipeline; name a pipeline class.")
        return found
