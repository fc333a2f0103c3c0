"""docs/entrants.md lists all options, and its examples work."""

import re
import runpy
import tomllib
from pathlib import Path

import pytest
from small_clips import entrant_of, small_track

from generator.backends.diffusers.oom_fallback import MODEL_OFFLOAD, SEQUENTIAL_OFFLOAD, VAE_TILING
from generator.backends.diffusers.options import OPTIONS
from generator.backends.openai.options import OpenaiOptions
from generator.clips import ClipRequest, GeneratedClip
from generator.engine import check, generate
from generator.errors import SpecError
from generator.media import probe
from generator.spec import read_entrant
from video_servers import KEY, Served

PAGE = (Path(__file__).parents[2] / "docs" / "entrants.md").read_text(encoding="utf-8")
DIFFUSERS = PAGE.split('## `kind = "diffusers"`')[1].split("\n## ")[0]
OPENAI = PAGE.split('## `kind = "openai"`')[1].split("\n## ")[0]


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) for indent, text in found]


def documented_options(section: str) -> set[str]:
    """Return the names in the first column of the section's table."""
    cells = re.findall(r"^\| ([^|]+) \|", section, flags=re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def test_every_option_is_documented() -> None:
    assert documented_options(DIFFUSERS) == OPTIONS
    assert documented_options(OPENAI) == set(OpenaiOptions.model_fields)


def test_the_steps_when_memory_runs_out_are_documented() -> None:
    assert VAE_TILING in DIFFUSERS
    for step in (MODEL_OFFLOAD, SEQUENTIAL_OFFLOAD):
        kind = step.rpartition(": ")[2].removesuffix(" offload")
        assert f'on a GPU, `offload = "{kind}"`' in DIFFUSERS


@pytest.mark.parametrize("text", [text for text in blocks("toml") if "[backend]" in text])
def test_example_specs_are_valid(text: str, tmp_path: Path) -> None:
    if "name =" not in text:
        pytest.skip("an excerpt")
    (tmp_path / "entrant.toml").write_text(text, encoding="utf-8")
    assert read_entrant(tmp_path / "entrant.toml").backend.options


def test_the_example_backend_generates_clips(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,) = (text for text in blocks("python") if "class Stripes" in text)
    (tmp_path / "stripes.py").write_text(code, encoding="utf-8")
    (project,) = (text for text in blocks("toml") if "[project]" in text)
    points = tomllib.loads(project)["project"]["entry-points"]
    installed = tmp_path / "stripes-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Name: stripes\nVersion: 1.0\n", encoding="utf-8")
    lines = [
        f"[{group}]\n{key} = {value}\n" for group in points for key, value in points[group].items()
    ]
    (installed / "entry_points.txt").write_text("".join(lines), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)

    track, entrant = small_track(audio=False), entrant_of("stripes", width=8)
    (clip,) = generate([ClipRequest(entrant, track, "p1", "stripes", 1)], workers=0)
    assert isinstance(clip, GeneratedClip), clip
    assert clip.provenance.backend == "stripes"
    assert clip.provenance.adapted == ()
    with pytest.raises(SpecError, match=r"backend\.width is 'wide'; use pixels"):
        check(entrant_of("stripes", width="wide"), track)
    with pytest.raises(SpecError, match=r"backend\.colour is not an option"):
        check(entrant_of("stripes", colour="red"), track)


def test_the_example_client_generates_a_clip(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,) = (text for text in blocks("python") if "create_and_poll" in text)
    replacements = {
        "http://127.0.0.1:8000/v1": served.base_url,
        'api_key="none"': f'api_key="{KEY}"',
        "my-model": "tiny-foal",
    }
    for old, new in replacements.items():
        assert old in code
        code = code.replace(old, new)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "client.py").write_text(code, encoding="utf-8")
    runpy.run_path(str(tmp_path / "client.py"))
    clip = probe(tmp_path / "clip.mp4")
    assert (clip.width, clip.height, clip.frames) == (256, 256, 72)
