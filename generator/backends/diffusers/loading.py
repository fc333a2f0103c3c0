"""A pipeline brought into memory: found, refused or loaded, placed, and set as its spec says."""

import importlib
import inspect
from pathlib import Path
from typing import Any

from generator.backends.diffusers.options import Options
from generator.errors import BackendError, SpecError

# Where diffusers' video pipelines keep what denoises, and what they decode with.
DENOISERS = ("transformer", "transformer_2", "unet")
AUTOENCODER = "vae"


def download(name: str, options: Options) -> Path:
    """The folder of a hub id's files, safetensors only.

    Raises:
        BackendError: The hub does not give it.
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
            f"{name}: the model {options.model} is no folder here and the hub does not "
            f"give it ({type(error).__name__}); check backend.model and the connection."
        ) from error
    return Path(folder)


def pipeline_class(name: str, options: Options, index: dict[str, Any] | None) -> Any:
    """The class that `backend.pipeline` or the folder's index names, from an installed package.

    Raises:
        SpecError: There is no such class, or it is no pipeline.
    """
    named = options.pipeline or f"diffusers:{(index or {}).get('_class_name')}"
    module, _, class_name = named.partition(":")
    try:
        found = getattr(importlib.import_module(module), class_name)
    except (ImportError, AttributeError, ValueError, TypeError):
        raise SpecError(
            f"{name}: there is no pipeline {named} here; install its package or "
            'set backend.pipeline to "package.module:Class".'
        ) from None
    if not (isinstance(found, type) and hasattr(found, "from_pretrained") and callable(found)):
        raise SpecError(f"{name}: {named} is no pipeline; name a pipeline class.")
    if index is not None:
        _check_complete(name, named, found, index)
    return found


def _check_complete(name: str, named: str, kind: Any, index: dict[str, Any]) -> None:
    optional = getattr(kind, "_optional_components", [])
    lacking = [
        key
        for key, parameter in inspect.signature(kind.__init__).parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        and key not in ("self", *optional, *index)
    ]
    if lacking:
        raise SpecError(
            f"{name}: {named} is made of a {lacking[0]} too, which the folder does not have; name "
            "the class that it was saved from, or give the whole folder."
        )


def check_parts(name: str, options: Options, index: dict[str, Any]) -> None:
    """Refuse options that ask for a part the pipeline does not have.

    Raises:
        SpecError: naming the option.
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
    """The pipeline, ready to be called.

    Raises:
        BackendError: A part has no such setting.
    """
    import torch

    placed = {} if options.device_map is None else {"device_map": options.device_map}
    variant = {} if options.variant is None else {"variant": options.variant}
    pipeline = kind.from_pretrained(
        folder,
        dtype=getattr(torch, options.dtype),
        use_safetensors=True,
        local_files_only=True,
        trust_remote_code=False,
        **placed,
        **variant,
    )
    _set_autoencoder(name, pipeline, options)
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


def _set_autoencoder(name: str, pipeline: Any, options: Options) -> None:
    for key, method in (("vae_tiling", "enable_tiling"), ("vae_slicing", "enable_slicing")):
        if not getattr(options, key):
            continue
        try:
            getattr(pipeline.vae, method)()
        except (AttributeError, NotImplementedError):
            raise BackendError(
                f"{name}: the VAE {type(pipeline.vae).__name__} has no {key.partition('_')[2]}; "
                f"remove backend.{key}."
            ) from None


def _compile(pipeline: Any) -> None:
    """The blocks that repeat, which are compiled once for all; else the whole denoiser."""
    for part in (getattr(pipeline, denoiser, None) for denoiser in DENOISERS):
        if part is None:
            continue
        if getattr(part, "_repeated_blocks", None):
            part.compile_repeated_blocks()
        else:
            part.compile()
