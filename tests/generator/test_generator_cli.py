"""`python -m generator`: commands that succeed, and one-line errors of those that fail."""

import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
from small_clips import ball_clip, small_track

from arena.context import make_arena
from arena.settings import Settings
from arena.shipped import Collection
from generator.__main__ import main
from generator.media import decode, encode_rendition
from generator.spec import TrackSettings


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command in this process, which has imported PyTorch already."""
    command, out, err = ["generator", *map(str, words)], StringIO(), StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", command)
        patch.setattr(sys, "path", list(sys.path))
        with pytest.raises(SystemExit) as ended:
            main()
    code = ended.value.code or 0
    assert isinstance(code, int)
    return subprocess.CompletedProcess(command, code, out.getvalue(), err.getvalue())


def run_as_program(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "generator", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_sample_writes_a_clip_of_the_track(tiny_foal: Path, tmp_path: Path) -> None:
    output = tmp_path / "clip.mp4"
    done = run("sample", tiny_foal, "a red ball bounces", "--seed", "3", "-o", output)
    assert (done.returncode, done.stderr) == (0, "")
    assert str(output) in done.stdout
    track = TrackSettings.named("text-to-video-audio")
    assert output.stat().st_size == track.bytes
    clip = decode(output)
    assert clip.frames.shape == (72, 256, 256, 3)
    assert clip.audio is not None


def test_an_image_is_rejected_in_a_track_of_text_prompts(tiny_foal: Path, tmp_path: Path) -> None:
    words = ("sample", tiny_foal, "a ball", "--image", tmp_path / "a.png", "-o", tmp_path / "a.mp4")
    done = run(*words, "--track", "text-to-video")
    assert done.returncode == 1
    assert "uses text prompts only" in done.stderr


def test_sample_accepts_a_track_file(tiny_foal: Path, tmp_path: Path) -> None:
    track = tmp_path / "small.toml"
    track.write_text(
        'name = "small"\nmodality = "text-to-video"\naudio = false\nwidth = 64\nheight = 64\n'
        "fps = 24\nframes = 12\nvideo_kbps = 100\nbytes = 20000\n",
        encoding="utf-8",
    )
    output = tmp_path / "clip.mp4"
    done = run("sample", tiny_foal, "a ball", "--track", track, "-o", output)
    assert done.returncode == 0
    assert decode(output).frames.shape == (12, 64, 64, 3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("sample", "none.toml", "a ball", "-o", "x.mp4"), "entrant file none.toml does not exist"),
        (("train", "none.toml"), "none.toml"),
        (("measure", "none"), "none"),
    ],
)
def test_an_error_is_one_line_and_status_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*words)
    assert done.returncode == 1
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--track", "text-to-smell"), "No track is named 'text-to-smell'"),
        (("-o", "nowhere/at/all/x.mp4"), "nowhere/at/all does not exist"),
        (("-o", "x.avi"), "x.avi must end in .mp4"),
    ],
)
def test_sample_checks_its_arguments_before_it_generates(
    tiny_foal: Path, words: tuple[str, ...], message: str
) -> None:
    done = run("sample", tiny_foal, "a ball", "-o", "x.mp4", *words)
    assert done.returncode == 1
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("module", ["generator", "arena"])
def test_code_next_to_a_spec_never_runs(tiny_foal: Path, tmp_path: Path, module: str) -> None:
    (tmp_path / "evil.py").write_text("open('canary', 'w')\nclass Evil: ...\n", encoding="utf-8")
    spec = tiny_foal.read_text(encoding="utf-8").replace("generator.foal:FoalPipeline", "evil:Evil")
    spec = spec.replace('"tiny"', f'"{tiny_foal.parent / "tiny"}"')
    (tmp_path / "evil.toml").write_text(spec, encoding="utf-8")
    words = {
        "generator": ["sample", "evil.toml", "a ball", "-o", "x.mp4"],
        "arena": ["entrants", "add", "evil.toml"],
    }
    environment = {"ARENA_HOME": str(tmp_path / "home")}
    if module == "arena":
        make_arena(Settings(home=tmp_path / "home"), Collection.STANDARD)
    done = subprocess.run(
        [sys.executable, "-m", module, *words[module]],
        cwd=tmp_path,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "the pipeline evil:Evil was not found" in done.stderr
    assert not (tmp_path / "canary").exists()


def test_debug_shows_a_traceback() -> None:
    done = run_as_program("sample", "none.toml", "a ball", "-o", "x.mp4", "--debug")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_wrong_usage_is_status_2() -> None:
    assert run("sample").returncode == 2
    assert run("gallop").returncode == 2


def test_help_does_not_load_torch() -> None:
    code = (
        "import sys; sys.argv = ['generator', '--help']\n"
        "from generator.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "sample" in done.stdout


def test_measure_reads_a_folder_of_clips(tmp_path: Path) -> None:
    (tmp_path / "prompts.csv").write_text("id,text\np1,a red ball bounces\n", encoding="utf-8")
    (tmp_path / "p1.mp4").write_bytes(encode_rendition(ball_clip(), small_track(audio=True)))
    done = run("measure", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "colour" in done.stdout
