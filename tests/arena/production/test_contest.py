"""A contest of models behind their makers' services, from `arena init --preset contest` on."""

import csv
import io
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from contest_services import IDS, BusyService, darkest_of_the_corner, marked_clip
from PIL import Image
from sqlalchemy import func, select
from typer.testing import CliRunner

from arena.commands.cli import app
from arena.context import open_arena
from arena.models import Clip, ClipOrder, ClipStatus, OrderState
from arena.shipped import Collection, prompt_file
from fake_services import KEY, Reply, provider_at, serving_service
from generator.backends.api.provider import find_provider
from generator.media import encode_master
from playable import bar_clip, settings_for
from small_arena import Booth

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "contest.md").read_text(encoding="utf-8")
CATEGORIES = {
    *("people", "animals", "action", "camera moves", "text in the picture", "physics"),
    *("dialogue and sound effects", "styles"),
}
TRACKS = {
    "text-to-video": (False, 5),
    "text-to-video-audio": (True, 5),
    "text-to-video-10s": (False, 10),
    "text-to-video-10s-audio": (True, 10),
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ARENA_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def run(*words: str, status: int = 0) -> str:
    result = CliRunner().invoke(app, list(words))
    text = result.output + str(result.exception or "")
    assert result.exit_code == status, text
    return text


def rows(*words: str) -> list[dict[str, str]]:
    result = CliRunner().invoke(app, [*words, "--format", "csv"], catch_exceptions=False)
    return list(csv.DictReader(io.StringIO(result.stdout)))


def test_the_preset_has_both_pools_at_1080p_and_60_prompts_of_all_categories(home: Path) -> None:
    run("init", "--preset", "contest")
    assert "has the tracks" in run("init", "--preset", "contest")  # safe to repeat
    found = {row["track"]: row for row in rows("tracks", "list")}
    assert set(found) == set(TRACKS)
    for name, (audio, seconds) in TRACKS.items():
        row = found[name]
        size = (row["width"], row["height"], row["fps"], row["frames"])
        assert size == ("1920", "1080", "24", str(24 * seconds))
        assert (row["audio"], row["prompts"]) == ("yes" if audio else "no", "60")
        assert row["prompt_rewriting"] == "maker-default"
    prompts = rows("prompts", "list")
    assert len(prompts) == 60
    counts = Counter(each for row in prompts for each in re.split(r"[,;] ?", row["categories"]))
    assert set(counts) == CATEGORIES
    assert min(counts.values()) >= 10  # so that battles of each can be asked for


def test_no_prompt_asks_for_several_shots() -> None:
    with prompt_file(Collection.CONTEST).open(encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    for text in texts:
        assert text.endswith("One continuous shot."), text
        assert not re.search(r"\b(cuts? to|montage|split screen|scene \d|then we)\b", text), text


def test_the_preset_goes_into_an_arena_of_its_own(home: Path) -> None:
    run("init")
    assert "set ARENA_HOME to a new folder" in run("init", "--preset", "contest", status=1)
    assert "contradict" in run("init", "--preset", "contest", "--empty", status=2)


def test_a_shipped_model_enters_the_tracks_that_it_can_serve(home: Path) -> None:
    run("init", "--preset", "contest")
    text = run("entrants", "add", "veo-3.1", "kling-3.0", "luma-ray-3.2")
    assert "Not in text-to-video-10s: veo-3.1 makes clips of at most 8 s and the track" in text
    assert "remove" not in text
    entered = {row["slug"]: row["tracks"] for row in rows("entrants", "list")}
    assert entered["kling-3-0"].count("text-to-video") == len(TRACKS)
    assert entered["veo-3-1"] == "text-to-video, text-to-video-audio"
    assert "audio" not in entered["luma-ray-3-2"]
    run("entrants", "add", "wan-3.0", "--track", "text-to-video-audio")
    assert rows("entrants", "list")[-1]["tracks"] == "text-to-video-audio"
    assert "No open track is named" in run("entrants", "add", "wan-2.7", "--track", "x", status=1)
    # Nothing is added if one of several cannot be.
    assert "nobody-4.0" in run("entrants", "add", "wan-2.7", "nobody-4.0", status=1)
    assert "wan-2-7" not in {row["slug"] for row in rows("entrants", "list")}


def documented_steps() -> list[list[str]]:
    """The commands of the page's first example that change the arena or print the bill."""
    (block,) = re.findall(r"```sh\n(arena init.*?)```", PAGE, flags=re.DOTALL)
    lines = block.replace("\\\n", " ").splitlines()
    return [line.split("#")[0].split()[1:] for line in lines]


def test_the_bill_of_the_page_is_what_the_commands_print(home: Path) -> None:
    *steps, bill = [each for each in documented_steps() if each[0] != "generate"] + [
        ["generate", "--dry-run"]
    ]
    assert ["generate", "--dry-run"] in documented_steps()
    for words in steps:
        if words[0] != "serve":
            run(*words)
    (shown,) = re.findall(r"```text\n(.*?)```", PAGE, flags=re.DOTALL)
    assert run(*bill) == shown


# --- a contest of six services --------------------------------------------------------------------

SMALL = {"small": False, "small-audio": True}
PROMPTS = 3
MODELS = {
    "dashscope": "happyhorse-1.0",
    "dashscope-wan": "wan3.0",
    "ark": "seedance-2.0",
    "kling": "kling-3.0",
    "gemini-veo": "veo-3.1",
    "minimax": "minimax-h3",
}
MARKED = "ark"  # leaves its mark in its clips
CLIPS = len(MODELS) * len(SMALL) * PROMPTS


@pytest.fixture
def texts() -> list[str]:
    with prompt_file(Collection.CONTEST).open(encoding="utf-8", newline="") as file:
        return [row["text"] for row in csv.DictReader(file)][:PROMPTS]


@pytest.fixture
def services(texts: list[str]) -> Iterator[dict[str, BusyService]]:
    with ExitStack() as stack:
        running = {}
        for number, name in enumerate(IDS):
            is_marked = name == MARKED
            file = marked_clip(number) if is_marked else encode_master(bar_clip(number))
            service = BusyService(name, file, texts)
            running[name] = service
            stack.enter_context(serving_service(service))
        yield running


def enter_small(home: Path, services: dict[str, BusyService], folder: Path) -> None:
    """Tracks of another size with some of the prompts, and the models, as the page describes it."""
    for name, audio in SMALL.items():
        (folder / f"{name}.toml").write_text(
            f'name = "{name}"\nmodality = "text-to-video"\naudio = {str(audio).lower()}\n'
            "width = 64\nheight = 64\nfps = 24\nframes = 24\nvideo_kbps = 300\nbytes = 80000\n"
            'prompt_rewriting = "off"\n',
            encoding="utf-8",
        )
        run("tracks", "add", f"{name}.toml")
    with prompt_file(Collection.CONTEST).open(encoding="utf-8", newline="") as file:
        chosen = list(csv.DictReader(file))[:PROMPTS]
    with (folder / "few.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, chosen[0])
        writer.writeheader()
        writer.writerows(row | {"tracks": ";".join(SMALL)} for row in chosen)
    run("prompts", "import", "few.csv")
    for name, model in MODELS.items():
        service = services[name]
        provider_at(name, service.api, folder)
        (folder / f"{name}-model.toml").write_text(
            f'name = "{model}"\ncreator = "Grove"\nlicence = "proprietary"\n'
            f'tracks = ["small", "small-audio"]\n[backend]\nkind = "api"\n'
            f'provider = "./{name}.toml"\nmodel = "{model}"\npoll_s = 0.05\n'
            "requests_per_minute = 60000\nconcurrency = 2\n",
            encoding="utf-8",
        )
        host = service.api.removeprefix("http://")
        run("entrants", "add", f"{name}-model.toml", "--trust-host", host)


def generate_until(enough: Callable[[], bool] | None) -> int | None:
    """Run `arena generate` in a group of its own, killed with all its processes once it is enough.

    Returns:
        Its exit status; None if it was killed.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "arena", "generate", "--yes", "--workers", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    while process.poll() is None and enough is not None and not enough():
        time.sleep(0.02)
    if enough is not None and process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    said, _ = process.communicate()
    assert process.returncode in (0, 1, -signal.SIGKILL), said
    return None if process.returncode == -signal.SIGKILL else process.returncode


def test_a_contest_of_six_services_killed_twice_orders_each_clip_once(
    home: Path,
    tmp_path: Path,
    services: dict[str, BusyService],
    texts: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in MODELS:
        for variable in find_provider(name).provider.variables:
            monkeypatch.setenv(variable, KEY)
    run("init", "--preset", "contest")
    enter_small(home, services, tmp_path)
    services["dashscope"].refused_before = {texts[0]}
    services["kling"].refused_after = {texts[1]}
    services["ark"].create_replies = [services["ark"].transcript.later]
    services["minimax"].create_replies = [Reply(drop=True)]  # accepted, and the answer is lost
    services["gemini-veo"].poll_replies = [Reply({"error": "away"}, 500)]
    services["dashscope-wan"].file_replies = [Reply({"error": "expired"}, 403)]
    bill = run("generate", "--dry-run")
    assert f"{CLIPS} to be ordered" in bill
    assert all(model in bill for model in MODELS.values())

    def accepted() -> int:
        return sum(len(service.accepted) for service in services.values())

    assert generate_until(lambda: accepted() >= CLIPS // 6) is None
    assert generate_until(lambda: accepted() >= CLIPS // 2) is None
    # What was refused before is final; if the last run itself is refused something, it says so.
    assert generate_until(None) in (0, 1)

    for name, service in services.items():
        for prompt, times in service.times_accepted().items():
            assert times <= len(SMALL), (name, prompt, times)  # once for each track
        assert not service.refused_before & set(service.accepted)
    arena = open_arena(settings_for(home))
    with arena.database.reading() as session:
        ready = session.scalars(select(Clip).where(Clip.status == ClipStatus.READY)).all()
        orders = session.execute(
            select(ClipOrder.state, func.count()).group_by(ClipOrder.state)
        ).all()
        failed = session.scalars(select(Clip).where(Clip.status == ClipStatus.FAILED)).all()
        refused = Counter(clip.entrant.name for clip in failed if clip.refused)
        unknown = Counter(clip.entrant.name for clip in failed if clip.maybe_billed)
    states = dict(orders)
    # Paid for once: as many files received as clips, and no clip has two orders of which one
    # may have been paid.
    assert states[OrderState.RECEIVED] == len(ready)
    assert len(ready) + sum(refused.values()) + sum(unknown.values()) == CLIPS
    # Refused once in each track, unless the run was killed before it had the answer.
    for name in ("happyhorse-1.0", "kling-3.0"):
        assert refused[name] <= 2 <= refused[name] + unknown[name]
    assert set(refused) <= {"happyhorse-1.0", "kling-3.0"}
    # The lost answer, and at most the orders on their way when the run was killed.
    assert unknown["minimax-h3"] >= 1
    assert states.get(OrderState.UNKNOWN, 0) == sum(unknown.values())
    assert "unknown" in run("orders")

    shown = run("entrants", "show", MODELS[MARKED])
    picture = home / "pictures" / "seedance-2-0.png"
    assert str(picture) in shown
    assert darkest_of_the_corner(Image.open(picture)) > 200
    run("entrants", "show", MODELS["gemini-veo"])
    assert darkest_of_the_corner(Image.open(home / "pictures" / "veo-3-1.png")) < 200
    assert all(
        order.body["parameters"]["prompt_extend"] is False
        for order in services["dashscope-wan"].orders
    )

    booth = Booth(arena.database, track="small-audio")
    for _ in range(12):
        booth.vote("a")
    board = rows("leaderboard", "--track", "small-audio")
    assert {row["model"] for row in board} == set(MODELS.values())
    # Honey pairs and repeats, of which there may be a few, count in no rating.
    assert 2 * 7 <= sum(int(row["vote_count"]) for row in board) <= 2 * 12
    waits = {row["model"]: row for row in rows("costs", "--track", "small")}
    # Those of runs that were killed are not measured, and these may be all.
    measured = [float(row["order_to_file"]) for row in waits.values() if row["order_to_file"]]
    assert all(seconds > 0 for seconds in measured)
    assert waits["veo-3.1"]["in_its_queue"] == ""  # its answers do not say
