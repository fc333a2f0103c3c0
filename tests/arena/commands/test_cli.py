"""The command line: help for every command, one sentence and status 1 on failure, 2 for usage."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer
from typer.testing import CliRunner

import generator.foal
from arena.commands.cli import PANEL_OF, app, run
from arena.errors import NotFound


def leaf_commands(group: Any, *path: str) -> Iterator[tuple[str, ...]]:
    """The words of every command of the application, subcommands included."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from leaf_commands(command, *path, name)
        else:
            yield (*path, name)


def find_command(words: tuple[str, ...]) -> Any:
    command: Any = ROOT
    for word in words:
        command = command.commands[word]
    return command


ROOT = typer.main.get_command(app)
COMMANDS = [
    (),
    *leaf_commands(ROOT),
    *((name,) for name in ("tracks", "entrants", "prompts", "db")),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An arena without entrants, created by a process of its own."""
    folder = tmp_path_factory.mktemp("home")
    done = subprocess.run(
        [sys.executable, "-m", "arena", "init"],
        env=os.environ | {"ARENA_HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "Next: `arena entrants add FILE`" in done.stdout
    return folder


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def arena(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    """Runs a command line as the program does, in this process: a new one takes seconds."""
    monkeypatch.setenv("ARENA_HOME", str(home))

    def run_arena(*words: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["arena", *words])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            run()
        return Done(int(stopped.value.code or 0), *capsys.readouterr())

    return run_arena


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_examples_and_without_types(words: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(app, [*words, "--help"])
    assert shown.exit_code == 0
    assert shown.output == CliRunner().invoke(app, [*words, "-h"]).output
    assert " ".join(("Usage: root", *words)) in shown.output
    assert not re.search(r"bool|<\w+>|\b(INTEGER|PATH|FLOAT)\b", shown.output)
    assert f"$ arena {' '.join(words)}".strip() in shown.output
    assert not re.search(r"[{}]|\[\[|\.\.\.\.", shown.output)


EXAMPLES = {
    line.removeprefix("$ ")
    for words in COMMANDS
    for line in (find_command(words).epilog or "").splitlines()
    if line.startswith("$ ")
}


@pytest.mark.parametrize("line", sorted(EXAMPLES))
def test_the_examples_of_the_help_are_valid_command_lines(line: str) -> None:
    command, words = ROOT, shlex.split(line)[1:]
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]  # type: ignore[attr-defined]
    if words != ["--help"]:
        command.make_context("arena", words)


def test_the_version_is_that_of_the_package() -> None:
    shown = CliRunner().invoke(app, ["--version"])
    assert (shown.exit_code, shown.output) == (0, f"Hippodrome {version('hippodrome')}\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_can_complete_commands(shell: str) -> None:
    environment = {"_ARENA_COMPLETE": f"complete_{shell}", "COMP_WORDS": "arena le"}
    environment |= {"COMP_CWORD": "1", "_TYPER_COMPLETE_ARGS": "arena le"}
    environment["_TYPER_COMPLETE_FISH_ACTION"] = "get-args"
    shown = CliRunner().invoke(app, [], prog_name="arena", env=environment)
    assert "leaderboard" in shown.output


def test_help_lists_every_command_in_the_order_of_use() -> None:
    assert ROOT.list_commands(typer.Context(ROOT)) == list(PANEL_OF)  # type: ignore[attr-defined]
    shown = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "100"}).output
    names = re.findall(r"^  (\w+)  ", shown, flags=re.MULTILINE)
    assert names == list(PANEL_OF)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["leaderboard", "--track", "no-such-track"],
            "No track is named 'no-such-track'; the tracks are: text-to-video, text-to-video-audio,"
            " image-to-video, image-to-video-audio, video-edit, video-edit-audio.",
        ),
        (
            ["entrants", "add", "no-such-file.toml"],
            "The entrant file no-such-file.toml does not exist; give the path of a TOML file.",
        ),
        (
            ["prompts", "import", "no-such-file.csv"],
            "no-such-file.csv cannot be read: No such file or directory.",
        ),
        (
            ["generate", "--entrant", "nobody"],
            "No entrant is named 'nobody': `arena entrants list` lists them all.",
        ),
        (
            ["verify", "no-such-folder"],
            "no-such-folder is not a release: it has no readable SHA256SUMS.",
        ),
    ],
)
def test_a_failure_is_one_sentence_and_status_1(
    arena: Callable[..., Done], words: list[str], sentence: str
) -> None:
    done = arena(*words)
    assert (done.stderr, done.stdout) == (f"arena: {sentence}\n", "")
    assert done.returncode == 1


def test_debug_shows_the_traceback(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARENA_HOME", str(home))
    monkeypatch.setattr(sys, "argv", ["arena", "generate", "--entrant", "nobody", "--debug"])
    with pytest.raises(NotFound):  # which Python prints with its traceback
        run()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["simulate"], "Missing option '--votes'. See `{} simulate --help`."),
        (["generate", "--nonsense"], "No such option: --nonsense. See `{} generate --help`."),
        (["nothing"], "No such command 'nothing'. See `{} --help`."),
        (
            ["prompts", "retire"],
            "Invalid value: give the id of one prompt, or --all. See `{} prompts retire --help`.",
        ),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(
    arena: Callable[..., Done], words: list[str], sentence: str
) -> None:
    done = arena(*words)
    assert done.returncode == 2
    program = re.escape(sentence).replace(r"\{\}", "[^`]*?")  # that of the tests
    assert re.fullmatch(f"arena: {program}\n", done.stderr)


@pytest.mark.parametrize(
    "words",
    [
        *(["tracks", "list"], ["entrants", "retire", "x"], ["prompts", "list"], ["status"]),
        *(["generate"], ["serve"], ["leaderboard"], ["export", "out"], ["db", "upgrade"]),
    ],
)
def test_outside_an_arena_the_sentence_says_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ARENA_HOME", raising=False)
    done = CliRunner().invoke(app, words)
    assert str(done.exception) == (
        "There is no arena in ./arena-data. Set ARENA_HOME to yours, or run `arena init`."
    )
    assert not any(tmp_path.iterdir())


def test_commands_with_nothing_to_do_succeed(arena: Callable[..., Done]) -> None:
    done = arena("generate")
    assert done.returncode == 0
    assert "There are no entrants yet" in done.stdout
    assert arena("init").returncode == 0
    assert arena("db", "upgrade").returncode == 0


@pytest.fixture(scope="module")
def home_with_entrant(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the arena with a built-in entrant, whose clips are all missing."""
    folder = tmp_path_factory.mktemp("entrant") / "home"
    shutil.copytree(home, folder)
    spec = Path(generator.foal.__file__).parent / "entrants" / "foal-xxs.toml"
    environment = {"ARENA_HOME": str(folder)}
    done = CliRunner().invoke(app, ["entrants", "add", str(spec)], env=environment)
    assert done.exit_code == 0, done.output
    return folder


def catches_signals(process: subprocess.Popen[str]) -> bool:
    """Whether the program has replaced the system's answer to SIGTERM, which ends it at once."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = int(status.partition("SigCgt:")[2].split()[0], 16)
    return bool(caught >> (signal.SIGTERM - 1) & 1)


# As soon as it runs, while it loads its modules, and while clips are generated.
@pytest.mark.parametrize(
    ("sent", "after_s"),
    [
        *[(signal.SIGINT, after_s) for after_s in (0.0, 0.7, None)],
        *[(signal.SIGTERM, after_s) for after_s in (0.0, None)],
    ],
)
def test_an_interrupted_command_says_how_to_resume(
    home_with_entrant: Path, tmp_path: Path, sent: signal.Signals, after_s: float | None
) -> None:
    home = tmp_path / "home"
    shutil.copytree(home_with_entrant, home)
    with subprocess.Popen(
        [sys.executable, "-m", "arena", "generate"],
        env=os.environ | {"ARENA_HOME": str(home)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stderr is not None
        if after_s is None:
            assert process.stderr.readline().startswith("Generating clips: 0 of")
        while not catches_signals(process):
            time.sleep(0.01)
        time.sleep(0.5 if after_s is None else after_s)
        os.killpg(process.pid, sent)  # as a terminal does: its processes get it too
        _, stderr = process.communicate(timeout=120)
    assert process.returncode == 128 + sent, stderr
    assert stderr.splitlines()[-1] == "Interrupted. Run the same command again to resume."
    assert "Traceback" not in stderr


INTERRUPTED_IN_EXEC = """
import os, sys, types
import arena.__main__

command = types.ModuleType("arena.commands.cli")
command.run = lambda: exec("os.kill(os.getpid(), int(sys.argv[1]))\\nwhile True: pass")
sys.modules["arena.commands.cli"] = command
arena.__main__.main()
"""


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_inside_exec_has_the_same_exit_status(
    tmp_path: Path, sent: signal.Signals
) -> None:
    # `dataclass` and `namedtuple` call exec while modules are imported.
    (tmp_path / "in_exec.py").write_text(INTERRUPTED_IN_EXEC)
    done = subprocess.run(
        [sys.executable, "-m", "in_exec", str(int(sent))], cwd=tmp_path, timeout=300, check=False
    )
    assert done.returncode == 128 + sent


INTERRUPTED_IN_IMPORT = """
import sys, types
import arena.__main__

command = types.ModuleType("arena.commands.cli")
command.run = lambda: __import__("library_in_cpp")
sys.modules["arena.commands.cli"] = command
arena.__main__.main()
"""
LIBRARY_IN_CPP = """
import os, sys

print("loading")
try:
    os.kill(os.getpid(), int(sys.argv[1]))
    while True:
        pass
except BaseException:
    os.abort()  # as C++ does with an exception that nothing handles
"""


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_while_a_library_is_imported_raises_nothing_in_its_code(
    tmp_path: Path, sent: signal.Signals
) -> None:
    (tmp_path / "in_import.py").write_text(INTERRUPTED_IN_IMPORT)
    (tmp_path / "library_in_cpp.py").write_text(LIBRARY_IN_CPP)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "in_import", str(int(sent))],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 128 + sent
    assert done.stderr == "Interrupted. Run the same command again to resume.\n"
    assert done.stdout == "loading\n"


def test_an_empty_leaderboard_names_the_next_commands(arena: Callable[..., Done]) -> None:
    shown = arena("leaderboard")
    assert shown.returncode == 0
    assert "arena entrants add" in shown.stdout
    assert arena("leaderboard", "--format", "json").stdout.strip() == "[]"
