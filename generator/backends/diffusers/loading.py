"""Find a pipeline's class, download and load it, place it on a device and apply the options."""

import importlib
import inspect
from pathlib import Path
from typing import Any

from generator.backends.diffusers.options import Options
from generator.errors import BackendError, SpecError

# Attributes of diffusers' video pipelines that hold the denoiser and the autoencoder.
DENOISERS = ("transformer", "transformer_2", "unet")
AUTOENCODER = "vae"


def download(name: str, options: Options) -> Path:
    """Download a hub id's files, safetensors only, and return their folder.

    Raises:
        BackendError: The download failed.
    """
    import diffusers

    try:
        folder: str = diffusers.DiffusionPipeline.download(
            options.model,
            revision=options.revision,
            variant=options.variant,
            use_safetensors=True,
        )
    except (OSError, ValueError) as error:
        raise BackendError(
            f"{name}: the model {options.model} is not a local folder and cannot be downloaded "
            f"from the hub ({type(error).__name__}); check backend.model and the connection."
        ) from error
    return Path(folder)


def pipeline_class(name: str, options: Options, index: dict[str, Any] | None) -> Any:
    """Import the class that `backend.pipeline` or the folder's index names.

    Raises:
        SpecError: The class is not installed, is not a pipeline, or needs missing components.
    """
    named = options.pipeline or f"diffusers:{(index or {}).get('_class_name')}"
    module, _, class_name = named.partition(":")
    try:
        kind = getattr(importlib.import_module(module), class_name)
    except (ImportError, AttributeError, ValueError, TypeError):
        raise SpecError(
            f"{name}: the pipeline {named} was not found; install its package or "
            'set backend.pipeline to "package.module:Class".'
        ) from None
    if not (isinstance(kind, type) and hasattr(kind, "from_pretrained") and callable(kind)):
        raise SpecError(f"{name}: {named} is not a pipeline; name a pipeline class.")
    if index is not None:
        _check_components(name, named, kind, index)
    return kind


def _check_components(name: str, named: str, kind: Any, index: dict[str, Any]) -> None:
    optional = getattr(kind, "_optional_components", [])
    missing = [
        key
        for key, parameter in inspect.signature(kind.__init__).parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        and key not in ("self", *optional, *index)
    ]
    if missing:
        raise SpecError(
            f"{name}: {named} needs the component {missing[0]}, which the folder does not have; "
            "use the class that was saved, or a complete folder."
        )


def check_parts(name: str, options: Options, index: dict[str, Any]) -> None:
    """Reject options for components that the pipeline does not have.

    Raises:
        SpecError: A component is missing; the message names the option.
    """
    for key in ("vae_tiling", "vae_slicing"):
        if getattr(options, key) and AUTOENCODER not in index:
            raise SpecError(f"{name}: backend.{key} needs a pipeline with a VAE; remove it.")
    if options.compile and not any(denoiser in index for denoiser in DENOISERS):
        raise SpecError(
            f"{name}: backend.compile needs a pipeline with a {', '.join(DENOISERS[:-1])} or "
            f"{DENOISERS[-1]}; remove it."
        )


def load(name: str, folder: Path, kind: Any, options: Options) -> Any:
    """Load the pipeline and apply its options.

    Raises:
        BackendError: A component does not support an option.
    """
    import torch

    device_map = {} if options.device_map is None else {"device_map": options.device_map}
    variant = {} if options.variant is None else {"variant": options.variant}
    pipeline = kind.from_pretrained(
        folder,
        dtype=getattr(torch, options.dtype),
        use_safetensors=True,
        local_files_only=True,
        trust_remote_code=False,
        **device_map,
        **variant,
    )
    _configure_vae(name, pipeline, options)
    if options.compile:
        _compile(pipeline)
    if options.offload == "model":
        pipeline.enable_model_cpu_offload(device=options.device)
    elif options.offload == "sequential":
        pipeline.enable_sequential_cpu_offload(device=options.device)
    elif options.device_map is None:
        pipeline = pipeline.to(options.device)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _configure_vae(name: str, pipeline: Any, options: Options) -> None:
    for key, method in (("vae_tiling", "enable_tiling"), ("vae_slicing", "enable_slicing")):
        if not getattr(options, key):
            continue
        try:
            getattr(pipeline.vae, method)()
        except (AttributeError, NotImplementedError):
            raise BackendError(
                f"{name}: the VAE {type(pipeline.vae).__name__} does not support "
                f"{key.partition('_')[2]}; remove backend.{key}."
            ) from None


def _compile(pipeline: Any) -> None:
    """Compile the repeated blocks of each denoiser, which is faster, or all of it."""
    for denoiser in (getattr(pipeline, name, None) for name in DENOISERS):
        if denoiser is None:
            continue
        if getattr(denoiser, "_repeated_blocks", None):
            denoiser.compile_repeated_blocks()
        else:
            denoiser.compile()
