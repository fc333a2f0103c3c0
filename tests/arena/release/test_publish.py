"""Published releases appear complete or not at all, and closing a track publishes its last one."""

import json
import os
import signal
import zipfile
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from released_arena import NOW, let_people_vote, read_rows
from sqlalchemy import func, select
from typer.testing import CliRunner

from arena.audit.blindness_reports import store_report
from arena.audit.database_check import audit_seals
from arena.catalog.registration import private_hash, register_track
from arena.catalog.tracks import find_track
from arena.commands.cli import app
from arena.context import Arena, open_arena
from arena.errors import BattleExpired, NoPair, NotFound, ReleaseError
from arena.models import Clip, Prompt, Reveal, Seal, Vote
from arena.published import find_published, list_published, published_file, releases_folder
from arena.release import publish
from arena.release.closing import close_for_good, is_finished
from arena.release.export import ReleaseSummary
from arena.release.publish import publish_release
from arena.release.verify import verify_release
from arena.settings import Settings
from arena.web.middleware.problem_details import install_error_handlers
from arena.web.routes import releases
from arena.web.views.releases import LEAD, render_releases
from small_arena import TRACK, TRACK_WITH_SOUND, Booth, new_home

pytestmark = pytest.mark.databases("sqlite")


@pytest.fixture
def arena(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Arena:
    monkeypatch.setattr("arena.release.closing.MAX_AGE_S", 0)
    new_home(tmp_path / "home").dispose()
    return open_arena(Settings(home=tmp_path / "home"))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Arena:
    """An arena with one release, for tests that only read it."""
    home = tmp_path_factory.mktemp("published")
    new_home(home).dispose()
    opened = open_arena(Settings(home=home))
    publish_release(opened, now=NOW)
    return opened


def client_of(arena: Arena) -> TestClient:
    app = FastAPI()
    install_error_handlers(app)
    app.include_router(releases.make_router(arena))
    return TestClient(app)


def test_a_published_release_is_listed_served_and_verified(arena: Arena, tmp_path: Path) -> None:
    let_people_vote(arena.database, people=1)
    assert publish_release(arena, now=NOW, formats=("csv", "parquet")) is not None
    assert publish_release(arena, now=NOW, track=TRACK) is not None
    assert publish_release(arena, now=NOW) is not None
    home = arena.settings.home
    assert {each.id for each in list_published(home)} == {
        "2026-11-23",
        "2026-11-23-2",
        f"2026-11-23-{TRACK}",
    }
    client = client_of(arena)
    listed = client.get("/api/v1/releases").json()["releases"]
    one = next(each for each in listed if each["id"] == "2026-11-23")
    assert one["votes"] > 10
    assert one["tracks"] == one["open_tracks"] == [TRACK, TRACK_WITH_SOUND]
    assert client.get("/api/v1/releases/2026-11-23").json() == one
    copied = tmp_path / "downloaded"
    copied.mkdir()
    for file in one["files"]:
        response = client.get(file["url"])
        assert response.status_code == 200
        assert len(response.content) == file["bytes"]
        (copied / file["name"]).write_bytes(response.content)
    assert verify_release(copied).votes == one["votes"]


def test_a_release_has_the_last_report_on_blindness_or_says_that_there_is_none(
    arena: Arena,
) -> None:
    store_report(arena.settings.home, {"track": TRACK, "passed": False, "version": 1})
    store_report(arena.settings.home, {"track": TRACK, "passed": True, "version": 1})
    summary = publish_release(arena, now=NOW)
    assert summary is not None
    document = json.loads((summary.folder / "blindness.json").read_text())
    assert document["reports"] == [{"track": TRACK, "passed": True, "version": 1}]
    assert document["not_audited"] == [TRACK_WITH_SOUND]
    assert "is not measured" in document["note"]
    readme = " ".join((summary.folder / "README.md").read_text().split())
    assert f"No audit was made of {TRACK_WITH_SOUND}" in readme


def test_a_release_has_the_battles_that_nobody_answered(arena: Arena) -> None:
    booth = Booth(arena.database)
    booth.ask()
    booth.wait(3600)
    booth.ask()  # the first one has expired
    summary = publish_release(arena, now=booth.now, track=TRACK)
    assert summary is not None
    (row,) = read_rows(summary.folder, "unanswered")
    assert (row["ended"], row["track"], row["voter_kind"]) == ("expired", TRACK, "person")
    assert {row["model_a"], row["model_b"]} < {"Alder", "Birch", "Cedar"}
    verify_release(summary.folder)


def test_files_are_sent_in_ranges_with_their_media_types(published: Arena) -> None:
    client, url = client_of(published), "/api/v1/releases/2026-11-23"
    types = {
        "votes.parquet": "application/vnd.apache.parquet",
        "votes.csv": "text/csv; charset=utf-8",
        "manifest.json": "application/json",
        "README.md": "text/markdown; charset=utf-8",
        "SHA256SUMS": "text/plain; charset=utf-8",
    }
    for name, media_type in types.items():
        assert client.get(f"{url}/{name}").headers["content-type"] == media_type
    part = client.get(f"{url}/votes.parquet", headers={"Range": "bytes=0-3"})
    assert (part.status_code, part.content) == (206, b"PAR1")
    assert client.get(f"{url}/votes.csv", headers={"Range": "bytes=9999999-"}).status_code == 416


def test_a_release_downloaded_as_one_file_verifies(published: Arena, tmp_path: Path) -> None:
    client = client_of(published)
    one = client.get("/api/v1/releases/2026-11-23").json()
    response = client.get(one["archive"])
    assert response.headers["content-type"] == "application/zip"
    assert response.headers["content-disposition"] == 'attachment; filename="2026-11-23.zip"'
    assert client.get(one["archive"]).content == response.content
    (tmp_path / "copy.zip").write_bytes(response.content)
    with zipfile.ZipFile(tmp_path / "copy.zip") as archive:
        names = [f"2026-11-23/{file['name']}" for file in one["files"]]
        assert archive.namelist() == names
    checked = CliRunner().invoke(
        app, ["verify", str(tmp_path / "copy.zip"), "--key", one["key"]], catch_exceptions=False
    )
    assert checked.exit_code == 0, checked.output


def test_head_of_an_archive_or_file_reads_nothing(
    published: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, url = client_of(published), "/api/v1/releases/2026-11-23"
    sent = {path: client.get(path) for path in (f"{url}.zip", f"{url}/votes.csv", url)}
    monkeypatch.setattr("arena.web.routes.releases.zip_stream", _die)
    for path, get in sent.items():
        head = client.head(path)
        assert head.status_code == 200
        for name in ("content-type", "content-length", "content-disposition", "cache-control"):
            assert head.headers.get(name) == get.headers.get(name)
    for path in ("/api/v1/releases/2026-11-24.zip", "/api/v1/releases/..%2fsecret_key.zip"):
        assert client.head(path).status_code == client.get(path).status_code == 404


def test_the_archive_is_below_the_base_path_and_linked_from_the_page(published: Arena) -> None:
    (one,) = list_published(published.settings.home)
    described = releases.release_response(one, "/votes")
    assert described.archive == "/votes/api/v1/releases/2026-11-23.zip"
    page = render_releases([described])
    assert ("<a href='/votes/api/v1/releases/2026-11-23.zip' download>2026-11-23.zip</a>") in page
    assert "arena verify FILE.zip --key FINGERPRINT" in LEAD


@pytest.mark.parametrize(
    "path",
    [
        "2026-11-23/../../secret_key",
        "2026-11-23/%2e%2e/%2e%2e/secret_key",
        "2026-11-23/..%2f..%2fsecret_key",
        "2026-11-23//etc/passwd",
        "..%2f/secret_key",
        ".lock",
        "2026-11-23/none.csv",
        "2026-11-24",
        "%2e%2e",
    ],
)
def test_nothing_but_a_releases_own_files_is_served(published: Arena, path: str) -> None:
    response = client_of(published).get(f"/api/v1/releases/{path}")
    assert response.status_code == 404
    assert published.settings.signing_key() not in response.text


def test_a_killed_export_leaves_nothing_that_is_served(
    arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that dies while it writes leaves a draft, which the next one deletes."""
    child = os.fork()
    if child == 0:
        monkeypatch.setattr(
            "arena.release.export.write_sums", lambda draft: os.kill(os.getpid(), signal.SIGKILL)
        )
        publish_release(arena, now=NOW)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    home = arena.settings.home
    drafts = [path for path in releases_folder(home).iterdir() if path.is_dir()]
    assert len(drafts) == 1
    assert list_published(home) == []
    assert client_of(arena).get("/api/v1/releases").json() == {"releases": []}
    assert publish_release(arena, now=NOW) is not None
    folders = [path for path in releases_folder(home).iterdir() if path.is_dir()]
    assert [path.name for path in folders] == ["2026-11-23"]


def test_a_link_in_a_release_is_not_followed(arena: Arena) -> None:
    publish_release(arena, now=NOW)
    home = arena.settings.home
    release = find_published(home, "2026-11-23")
    (release.folder / "votes.csv").unlink()
    (release.folder / "votes.csv").symlink_to(home / "secret_key")
    with pytest.raises(NotFound):
        published_file(release, "votes.csv")


# --- closing --------------------------------------------------------------------------------------


def reveal_at_close(arena: Arena) -> None:
    with arena.database.writing() as session:
        find_track(session, TRACK).reveal = Reveal.AT_CLOSE
        for clip in session.scalars(select(Clip)):
            clip.provenance = {"seed": 4711 + clip.id, "model": "m"}


def test_closing_publishes_names_seeds_and_hashes_that_were_hidden_before(
    arena: Arena, tmp_path: Path
) -> None:
    reveal_at_close(arena)
    booth = Booth(arena.database)
    cast = booth.vote("a")
    assert cast.reveal is None
    publish_release(arena, now=booth.now, track=TRACK)
    (before,) = list_published(arena.settings.home)
    assert {row["seed"] for row in read_rows(before.folder, "clips")} == {None}
    assert {row["sha256"] for row in read_rows(before.folder, "clips")} == {None}
    open_battle = booth.ask()
    summary = close_for_good(arena, TRACK, now=booth.now)
    assert summary is not None
    assert summary.folder.name == f"{TRACK}-closed-2026-11-23"
    assert verify_release(summary.folder).votes == 1
    clips = read_rows(summary.folder, "clips")
    assert min(row["seed"] for row in clips) >= 4711
    assert all(row["sha256"] and row["salt"] for row in clips)
    (vote,) = read_rows(summary.folder, "votes")
    assert vote["clip_a"] in {row["sha256"] for row in clips}
    board = read_rows(summary.folder, "leaderboard")
    assert {row["watermark"] for row in board} == {1}
    with pytest.raises(BattleExpired):
        booth.wait(2)
        booth.cast(open_battle.token, "a")
    with pytest.raises(NoPair):
        Booth(arena.database, key="b" * 32).ask()


def test_each_step_of_closing_can_be_repeated(
    arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    booth = Booth(arena.database)
    booth.vote("a")
    steps = ("compute_boards", "seal_votes", "publish_release")
    for step in steps:
        with monkeypatch.context() as patched:
            patched.setattr(f"arena.release.closing.{step}", _die)
            with pytest.raises(KeyboardInterrupt):
                close_for_good(arena, TRACK, now=booth.now)
        with arena.database.reading() as session:
            track = find_track(session, TRACK)
            assert track.closed_at == booth.now
            assert not is_finished(arena, track)
    booth.wait(60)  # the time of closing stays
    assert close_for_good(arena, TRACK, now=booth.now) is not None
    assert close_for_good(arena, TRACK, now=booth.now) is None
    with arena.database.reading() as session:
        assert is_finished(arena, find_track(session, TRACK))
        assert session.scalar(select(func.count()).select_from(Vote)) == 1
        assert session.scalar(select(func.count()).select_from(Seal)) == 1
    (release,) = list_published(arena.settings.home)
    verify_release(release.folder)


# Where closing is killed: the function whose call is the last thing that the process does.
STEPS = (
    "arena.release.closing.compute_boards",
    "arena.release.closing.store_snapshot",
    "arena.audit.seals._store",
    "arena.release.publish.export_arena",
    "arena.release.export.write_sums",
)


@pytest.mark.parametrize("step", STEPS)
def test_a_track_whose_closing_was_killed_is_closed_by_closing_it_again(
    arena: Arena, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """`kill -9` of a process that is closing a track, at each of its steps."""
    booth = Booth(arena.database)
    booth.vote("a")
    if (child := os.fork()) == 0:
        monkeypatch.setattr(step, lambda *_args, **_kwargs: os.kill(os.getpid(), signal.SIGKILL))
        close_for_good(open_arena(arena.settings), TRACK, now=booth.now)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    with arena.database.reading() as session:
        assert find_track(session, TRACK).closed_at == booth.now
    with pytest.raises(NoPair):
        Booth(arena.database, key="b" * 32).ask()
    assert list_published(arena.settings.home) == []
    summary = close_for_good(arena, TRACK, now=booth.now)
    assert summary is not None
    assert verify_release(summary.folder).votes == 1
    assert [each.folder for each in list_published(arena.settings.home)] == [summary.folder]
    assert audit_seals(arena.database).faults == ()


def test_closing_publishes_the_nonces_that_hashes_of_private_prompts_were_made_with(
    arena: Arena, tmp_path: Path
) -> None:
    """Whoever has the text can check the hash then; the text itself is not published."""
    with arena.database.writing() as session:
        session.get_one(Prompt, "p-4").private = True
        track = find_track(session, TRACK)
        register_track(session, track, now=NOW)
    opened = registration_of(publish_release(arena, now=NOW, track=TRACK))
    assert opened["nonces"] == {}
    close_for_good(arena, TRACK, now=NOW)
    still_used = registration_of(publish_release(arena, now=NOW, track=TRACK))
    assert still_used["nonces"] == {}  # the prompt is in a track that is open
    close_for_good(arena, TRACK_WITH_SOUND, now=NOW)
    summary = publish_release(arena, now=NOW, track=TRACK)
    assert summary is not None
    closed = registration_of(summary)
    (private,) = (each for each in closed["document"]["prompts"] if each["private"])
    content = {**private, "text": "Prompt p-4", "source_sha256": None}
    assert private["text"] is None
    assert private_hash(content, closed["nonces"]["p-4"]) == private["sha256"]
    assert (
        private_hash({**content, "text": "Another"}, closed["nonces"]["p-4"]) != private["sha256"]
    )
    assert "Prompt p-4" not in (summary.folder / "registrations.json").read_text()
    verify_release(summary.folder)
    path = summary.folder / "registrations.json"
    path.write_text(path.read_text().replace('"p-4": "', '"p-1": "'))
    with pytest.raises(ReleaseError, match="a nonce of p-1, which is not private"):
        verify_release(summary.folder)


def registration_of(summary: ReleaseSummary | None) -> dict[str, Any]:
    assert summary is not None
    (found,) = json.loads((summary.folder / "registrations.json").read_text())["registrations"]
    return dict(found)


def _die(*_arguments: object, **_options: object) -> None:
    raise KeyboardInterrupt


# --- the command ----------------------------------------------------------------------------------


def run(*words: str) -> str:
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_commands_publish_register_and_close(
    arena: Arena, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARENA_HOME", str(arena.settings.home))
    assert "Registered the track" in run("tracks", "register", TRACK, "--stopping", "Never.")
    assert "Signed" in run("verify", _published(run("export", "--publish", "--track", TRACK)))
    with_copy = run("export", str(tmp_path / "copy"), "--publish", "--spreadsheet")
    assert "serves it" in with_copy
    first, second = (
        json.loads((folder / "release.json").read_text())
        for folder in (tmp_path / "copy", *[_newest(arena)])
    )
    assert first == second
    assert (tmp_path / "copy" / "votes.spreadsheet.csv").is_file()
    assert "verifies" in run("verify", str(tmp_path / "copy"))
    assert "Closed the track" in run("tracks", "close", TRACK, "--yes")
    assert "already closed, and its release is published" in run("tracks", "close", TRACK)
    assert "registered" in run("tracks", "list")
    as_set = run("export", str(tmp_path / "votes"), "--track", TRACK, "--as", "kaggle-55k")
    assert "0 votes" in as_set
    assert (tmp_path / "votes" / "train.csv").is_file()
    for words in (
        [],
        ["--as", "kaggle-55k"],
        [str(tmp_path / "x"), "--publish", "--as", "rapidata"],
    ):
        assert CliRunner().invoke(app, ["export", *words]).exit_code == 2


def _published(output: str) -> str:
    return output.split("`arena verify ")[1].split("`")[0]


def _newest(arena: Arena) -> Path:
    return next(
        each.folder for each in list_published(arena.settings.home) if each.about["open_tracks"][1:]
    )


def test_the_lock_is_free_after_a_failure(arena: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(publish, "export_arena", _die)
        with pytest.raises(KeyboardInterrupt):
            publish_release(arena, now=NOW)
    assert publish_release(arena, now=NOW) is not None
