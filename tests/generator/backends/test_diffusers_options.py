"""Options in `[backend]`, and their rejection in one sentence before loading."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import tiny_pipelines
from small_clips import entrant_of, small_track

from generator.backends.diffusers.backend import DiffusersBackend
from generator.backends.diffusers.loading import load
from generator.backends.diffusers.options import Options, read_options
from generator.clips import ClipRequest, GeneratedClip
from generator.engine import check, generate
from generator.errors import BackendError, SpecError
from generator.spec import read_entrant

TRACK = small_track(audio=False, frames=5)


@pytest.fixture(scope="module")
def tiny_wan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_pipelines.save(tiny_pipelines.wan, tmp_path_factory.mktemp("wan"))


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make torch report two GPUs, on which nothing can run."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)


def rejection(folder: Path, **options: object) -> str:
    with pytest.raises(SpecError) as caught:
        check(entrant_of("diffusers", model=str(folder), **options), TRACK)
    message = str(caught.value)
    assert "\n" not in message
    return message


def options_of(**options: object) -> Options:
    return read_options(entrant_of("diffusers", model="/model", **options))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"offload": "all"}, "backend.offload is 'all'; use one of none, model, sequential."),
        ({"offload": "model"}, "backend.offload moves a model between GPU"),
        ({"offload": "sequential", "device": "cpu"}, "the device is not a GPU; remove it."),
        ({"device_map": "auto"}, "backend.device_map is 'auto'; use one of balanced."),
        ({"device_map": "balanced"}, "backend.device_map needs a GPU and none is available"),
        ({"device": "cuda"}, "which is not available; use"),
        ({"device": "cuda:1"}, "which is not available; use"),
        ({"device": "mps"}, "which is not available; use"),
        ({"device": 1}, "backend.device is 1; use one of auto, cpu, cuda, mps."),
        ({"compile": "yes"}, "backend.compile is 'yes'; use true or false."),
        ({"vae_tiling": 1}, "backend.vae_tiling is 1; use true or false."),
        ({"vae_slicing": 0}, "backend.vae_slicing is 0; use true or false."),
        ({"variant": 16}, "backend.variant is 16; use a string or remove it."),
        ({"revision": ""}, "backend.revision is ''; use a string or remove it."),
        ({"fps": "1/0"}, "backend.fps is '1/0'"),
        ({"sample_rate": True}, "backend.sample_rate is True; use samples per second"),
        ({"trust_remote_code": True}, "backend.trust_remote_code is not an option"),
    ],
)
def test_an_invalid_option_is_rejected(
    tiny_wan: Path, options: dict[str, object], message: str
) -> None:
    assert message in rejection(tiny_wan, **options)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"num_inference_steps": "three"}, "is 'three'; the pipeline expects int."),
        ({"num_inference_steps": -3}, "is -3; use a whole number from 1 to"),
        ({"num_frames": 9.5}, "is 9.5; the pipeline expects int."),
        ({"num_frames": 0}, "is 0; use a whole number from 1 to"),
        ({"width": True}, "is True; the pipeline expects int."),
        ({"height": 1_000_000}, "is 1000000; use a whole number from 1 to 8192."),
        ({"guidance_scale": "5"}, "is '5'; the pipeline expects float."),
        ({"negative_prompt": 5}, "is 5; the pipeline expects str | list[str]."),
    ],
)
def test_a_call_argument_of_a_wrong_type_or_size_is_rejected(
    tiny_wan: Path, call: dict[str, object], message: str
) -> None:
    (name,) = call
    assert f"backend.call.{name} {message}" in rejection(tiny_wan, call=call)


def test_valid_call_arguments_are_accepted(tiny_wan: Path) -> None:
    call = {"num_inference_steps": 2, "guidance_scale": 5, "negative_prompt": ["none"]}
    check(entrant_of("diffusers", model=str(tiny_wan), call=call), TRACK)


def test_a_class_with_components_that_the_folder_lacks_is_rejected(tiny_wan: Path) -> None:
    message = rejection(tiny_wan, pipeline="diffusers:StableDiffusionPipeline")
    assert "needs the component unet, which the folder does not have" in message


def test_a_pipeline_without_sound_is_rejected_for_tracks_with_sound(
    tiny_wan: Path, tiny_foal: Path
) -> None:
    with_sound = small_track(audio=True, frames=5)
    silent = entrant_of("diffusers", model=str(tiny_wan))
    with pytest.raises(SpecError, match="WanPipeline generates no sound"):
        check(silent, with_sound)
    check(entrant_of("diffusers", model=str(tiny_wan), sample_rate=48000), with_sound)
    check(read_entrant(tiny_foal), with_sound)


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"device": "cuda:2"},
            "backend.device is 'cuda:2' and this machine has 2 GPUs, counted from 0.",
        ),
        (
            {"device_map": "balanced", "device": "cuda"},
            "backend.device_map and backend.device exclude each other",
        ),
        (
            {"device_map": "balanced", "offload": "model"},
            "backend.device_map and backend.offload exclude each other",
        ),
        ({"offload": "sequential", "compile": True}, 'cannot be used with offload = "sequential"'),
        ({"offload": "model", "device": "cpu"}, "the device is not a GPU"),
    ],
)
def test_conflicting_options_are_rejected(
    tiny_wan: Path, options: dict[str, object], message: str
) -> None:
    assert message in rejection(tiny_wan, **options)


def test_compiling_needs_a_compiler(tiny_wan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert "needs a C++ compiler and none was found; install g++" in rejection(
        tiny_wan, compile=True
    )


def test_options_for_missing_components_are_rejected(tiny_foal: Path) -> None:
    folder = tiny_foal.parent / "tiny"
    pipeline = "generator.foal:FoalPipeline"
    assert "backend.vae_tiling needs a pipeline with a VAE" in rejection(
        folder, vae_tiling=True, pipeline=pipeline
    )


@pytest.mark.usefixtures("gpu")
def test_device_auto_selects_a_gpu_if_available() -> None:
    assert (options_of().device, options_of().on_gpu) == ("cuda", True)
    assert options_of(device="cuda:1").device == "cuda:1"
    assert options_of(device="cpu").on_gpu is False


def test_the_provenance_lists_only_options_that_were_set() -> None:
    assert options_of(device="cpu", variant="fp16", vae_slicing=True).as_provenance() == {
        "variant": "fp16",
        "vae_slicing": True,
    }


class RecordingPipeline:
    """A pipeline that records the methods called on it."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.vae = self

    @classmethod
    def from_pretrained(cls, folder: Path, **options: Any) -> "RecordingPipeline":
        made = cls()
        made.calls.append(f"loaded {sorted(options)}")
        return made

    def __getattr__(self, name: str) -> Any:
        if not name.startswith(("enable", "set_progress", "to")):
            raise AttributeError(name)

        def record(*args: Any, **kwargs: Any) -> "RecordingPipeline":
            self.calls.append(" ".join([name, *map(str, args), *map(str, kwargs.values())]))
            return self

        return record


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["to cuda"]),
        ({"device": "cuda:1"}, ["to cuda:1"]),
        ({"offload": "model"}, ["enable_model_cpu_offload cuda"]),
        ({"offload": "sequential"}, ["enable_sequential_cpu_offload cuda"]),
        ({"device_map": "balanced"}, []),
        ({"vae_tiling": True, "vae_slicing": True}, ["enable_tiling", "enable_slicing", "to cuda"]),
    ],
)
def test_a_pipeline_is_placed_on_devices_as_specified(
    options: dict[str, object], expected: list[str]
) -> None:
    loaded = load("Test Horse", Path("/model"), RecordingPipeline, options_of(**options))
    assert loaded.calls[1:-1] == expected
    assert ("device_map" in loaded.calls[0]) is ("device_map" in options)


def test_tiling_and_slicing_are_enabled_and_recorded(tiny_wan: Path) -> None:
    entrant = entrant_of(
        "diffusers",
        call={"num_inference_steps": 1},
        model=str(tiny_wan),
        vae_tiling=True,
        vae_slicing=True,
    )
    with DiffusersBackend(entrant) as backend:
        vae = backend._pipeline.vae
        assert (vae.use_tiling, vae.use_slicing) == (True, True)
        _, provenance = backend.generate(ClipRequest(entrant, TRACK, "p1", "a horse", 1))
    assert provenance.options == {"vae_tiling": True, "vae_slicing": True}


def test_repeated_blocks_are_compiled(tiny_wan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []

    def record(call: Any, *args: object, **kwargs: object) -> Any:
        compiled.append(type(call.__self__).__name__)
        return call

    monkeypatch.setattr("torch.compile", record)
    entrant = entrant_of("diffusers", model=str(tiny_wan), compile=True)
    with DiffusersBackend(entrant):
        assert compiled == ["WanTransformerBlock"]


def test_an_available_variant_is_loaded(tmp_path: Path) -> None:
    pipeline = tiny_pipelines.wan()
    pipeline.save_pretrained(tmp_path, variant="fp16")
    entrant = entrant_of(
        "diffusers", call={"num_inference_steps": 1}, model=str(tmp_path), variant="fp16"
    )
    (clip,) = generate([ClipRequest(entrant, TRACK, "p1", "a horse", 1)], workers=0)
    assert isinstance(clip, GeneratedClip), clip
    assert clip.provenance.options == {"variant": "fp16"}


def test_a_hub_model_is_downloaded_and_checked_before_loading(
    tiny_wan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request: dict[str, Any] = {}

    def fake_download(model: str, **options: Any) -> str:
        request.update(options, model=model)
        return str(tiny_wan)

    monkeypatch.setattr("diffusers.DiffusionPipeline.download", fake_download)
    monkeypatch.setattr("generator.backends.diffusers.backend.load", None)
    entrant = entrant_of(
        "diffusers", call={"steps": 1}, model="owner/name", revision="v1", variant="fp16"
    )
    check(entrant, TRACK)  # the model is not known before the download
    with pytest.raises(SpecError, match=r"backend\.call\.steps is not an argument of the pipeline"):
        DiffusersBackend(entrant).__enter__()
    assert request == {
        "model": "owner/name",
        "revision": "v1",
        "variant": "fp16",
        "use_safetensors": True,
    }


def test_the_dtype_is_recorded(tiny_wan: Path) -> None:
    entrant = entrant_of(
        "diffusers", call={"num_inference_steps": 1}, model=str(tiny_wan), dtype="bfloat16"
    )
    (clip,) = generate([ClipRequest(entrant, TRACK, "p1", "a horse", 1)], workers=0)
    assert isinstance(clip, GeneratedClip), clip
    assert (clip.provenance.dtype, clip.provenance.device) == ("bfloat16", "cpu")


def test_a_clip_is_retried_with_tiling_when_memory_runs_out(
    tiny_wan: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    entrant = entrant_of("diffusers", call={"num_inference_steps": 1}, model=str(tiny_wan))
    with DiffusersBackend(entrant) as backend, caplog.at_level(logging.WARNING):
        first, untouched = backend.generate(ClipRequest(entrant, TRACK, "p1", "a horse", 1))
        decode, failures = backend._pipeline.vae.decode, [MemoryError()] * 2

        def fail(*args: Any, **kwargs: Any) -> Any:
            if failures:
                raise failures.pop()
            return decode(*args, **kwargs)

        monkeypatch.setattr(backend._pipeline.vae, "decode", fail)
        again, retried = backend.generate(ClipRequest(entrant, TRACK, "p1", "a horse", 1))
        _, later = backend.generate(ClipRequest(entrant, TRACK, "p1", "a horse", 2))
        assert backend._pipeline.vae.use_tiling
    assert untouched.adapted == ()
    tiled = "ran out of memory: VAE tiling"
    assert retried.adapted == ("ran out of memory: emptied the cache", tiled)
    assert later.adapted == (tiled,)
    # A frame smaller than one tile is unchanged, because each try starts from the seed.
    assert (first.frames == again.frames).all()
    assert tiled in caplog.text


def test_a_model_larger_than_memory_is_rejected_before_loading(
    tiny_wan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("generator.backends.diffusers.memory_check.available_memory", lambda: 1000)
    monkeypatch.setattr("generator.backends.diffusers.backend.load", None)
    entrant = entrant_of("diffusers", model=str(tiny_wan))
    with pytest.raises(BackendError, match=r"as float32 and 0.0 GiB are free in the machine's"):
        DiffusersBackend(entrant).__enter__()
    assert DiffusersBackend(entrant).workers == 1


def test_an_index_without_a_class_is_rejected(tiny_wan: Path, tmp_path: Path) -> None:
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(tiny_wan, folder)
    index = folder / "model_index.json"
    content = json.loads(index.read_text(encoding="utf-8"))
    content["_class_name"] = ["mine", "MyPipeline"]
    index.write_text(json.dumps(content), encoding="utf-8")
    assert "does not name a class of diffusers" in rejection(folder)
