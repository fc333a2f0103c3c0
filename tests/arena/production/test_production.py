"""Clips are generated, retried, checked for reproducibility, and listed if they failed."""

import hashlib
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file
from sqlalchemy import select
from tiny_foal import build_tiny_pipeline
from typer.testing import CliRunner

from arena import production
from arena.catalog.entrants import add_entrant, find_entrant, list_entrants
from arena.catalog.prompts import import_prompts, list_prompts
from arena.catalog.schemas import EntrantEntry, PromptEntry
from arena.catalog.tracks import add_track
from arena.commands.cli import app
from arena.context import Arena, make_arena, utc_now
from arena.errors import ArenaError, ProductionError, StoreUnavailable
from arena.models import Clip, ClipStatus
from arena.production.produce_clips import store_clip
from arena.shipped import Collection
from generator.clips import FailedClip
from generator.foal.build import save_pipeline
from generator.media import encode_master, probe
from killed import generate_and_kill, make_arena_of_films
from playable import bar_clip, settings_for
from small_arena import START, track_entry

TRACK = "small-audio"


@pytest.fixture
def arena(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Arena:
    """A tiny model and a folder of clips, with two prompts."""
    monkeypatch.setenv("ARENA_HOME", str(tmp_path))
    made = make_arena(settings_for(tmp_path), Collection.STANDARD)
    save_pipeline(build_tiny_pipeline(), tmp_path / "tiny")
    (tmp_path / "films").mkdir()
    black = bar_clip(1)
    black.frames[:] = 0
    (tmp_path / "films" / "p1.mp4").write_bytes(encode_master(black))
    (tmp_path / "films" / "p2.mp4").write_bytes(encode_master(bar_clip(2)))
    backends = {
        "Tiny": {
            "kind": "diffusers",
            "pipeline": "generator.foal:FoalPipeline",
            "model": str(tmp_path / "tiny"),
            "call": {"num_inference_steps": 2},
        },
        "Films": {"kind": "folder", "path": str(tmp_path / "films")},
    }
    with made.database.writing() as session:
        add_track(session, track_entry(TRACK, modality="text-to-video"), now=START)
        prompts = [PromptEntry(id=key, text="a horse", tracks=(TRACK,)) for key in ("p1", "p2")]
        import_prompts(session, prompts, now=START)
        for name, backend in backends.items():
            entry = EntrantEntry(
                slug=name.lower(),
                name=name,
                creator="Nobody",
                licence="MIT",
                tracks=(TRACK,),
                backend=backend,
            )
            add_entrant(session, entry, now=START)
    return made


def produce(arena: Arena) -> None:
    with arena.database.reading() as session:
        pending = production.find_pending(session, seed_key="key")
    for _ in production.produce(arena.database, arena.store, pending, workers=0, clock=utc_now):
        pass


def test_a_refusal_is_stored_as_refused(arena: Arena) -> None:
    with arena.database.reading() as session:
        item, other = production.find_pending(session, seed_key="key")[:2]
    for each, refused in ((item, True), (other, False)):
        failed = FailedClip(each.request, "Not allowed.", refused=refused)
        store_clip(arena.database, arena.store, each, failed, now=START)
    with arena.database.reading() as session:
        assert [clip.refused for clip in session.scalars(select(Clip))] == [True, False]


def test_failures_are_listed_with_thumbnails_and_retried(arena: Arena, tmp_path: Path) -> None:
    produce(arena)
    result = CliRunner().invoke(app, ["failures"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert "Films" in result.output
    assert "black" in result.output
    assert "Tiny" not in result.output

    page = tmp_path / "failures.html"
    CliRunner().invoke(app, ["failures", "--page", str(page)])
    shown = page.read_text()
    assert "1 clip failed" in shown
    assert shown.count("data:image/jpeg") == 3

    kept = [path for path in (tmp_path / "media" / "masters").rglob("*") if path.is_file()]
    (tmp_path / "films" / "p1.mp4").write_bytes(encode_master(bar_clip(3)))
    produce(arena)
    with arena.database.reading() as session:
        clips = session.scalars(select(Clip)).all()
        assert {clip.status for clip in clips} == {ClipStatus.READY}
    now = [path for path in (tmp_path / "media" / "masters").rglob("*") if path.is_file()]
    assert len(now) == len(kept) == 4


def test_a_folder_model_without_a_file_is_missing_and_not_failed(
    arena: Arena, tmp_path: Path
) -> None:
    (tmp_path / "films" / "p1.mp4").unlink()
    with arena.database.reading() as session:
        pending = production.find_pending(session, seed_key="key")
        available, absent = production.split_by_file(pending)
    assert len(available) == 3
    (absent_item, reason), *_ = absent
    assert absent_item.request.entrant.name == "Films"
    assert reason.endswith("films has no file p1.mp4; add it.")
    # An earlier version stored it as failed.
    failed = FailedClip(absent_item.request, "It has no file.")
    store_clip(arena.database, arena.store, absent_item, failed, now=START)

    options = ["generate", "--entrant", "films", "--workers", "1"]
    result = CliRunner().invoke(app, options, env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    assert "1 clip without a file yet. The first: " in result.output
    assert "Added 1 clip." in result.output
    with arena.database.reading() as session:
        assert [clip.status for clip in session.scalars(select(Clip))] == [ClipStatus.READY]
    # Nothing is left to do but to add the file: still not an error.
    assert CliRunner().invoke(app, options).exit_code == 0

    # A file that disappears once the run has started is missing too.
    list(production.produce(arena.database, arena.store, [absent_item], workers=0, clock=utc_now))
    with arena.database.reading() as session:
        statuses = [clip.status for clip in session.scalars(select(Clip))]
    assert ClipStatus.FAILED not in statuses


def test_clips_can_be_generated_again_and_compared(arena: Arena) -> None:
    produce(arena)
    with arena.database.reading() as session:
        sample = production.sample_ready(session, 10, track=None, entrant=None)
        paths = {clip.prompt_id: clip.master_path for clip in session.scalars(select(Clip))}
    assert {ready.request.entrant.name for ready in sample} == {"Tiny"}  # a folder only copies
    found = list(production.recheck(arena.store, sample, workers=0))
    assert [(each.ok, each.summary()) for each in found] == [(True, "identical")] * 2

    other = arena.store.read(str(paths["p2"]))
    arena.store.filesystem.pipe_file(arena.store._full(sample[0].master_path), other)
    found = list(production.recheck(arena.store, sample[:1], workers=0))
    assert not found[0].ok
    assert "dB" in found[0].summary()


def test_an_entrant_whose_weights_changed_gets_no_more_clips(arena: Arena, tmp_path: Path) -> None:
    with arena.database.reading() as session:
        tiny = find_entrant(session, "tiny")
        first, second = production.find_pending(session, seed_key="key", entrant=tiny)
    assert first.request.weights_sha256 is None
    list(production.produce(arena.database, arena.store, [first], workers=0, clock=utc_now))
    weights = tmp_path / "tiny" / "codec" / "diffusion_pytorch_model.safetensors"
    tensors = {name: -tensor for name, tensor in load_file(weights).items()}
    save_file(tensors, weights)
    with arena.database.reading() as session:
        (second,) = production.find_pending(session, seed_key="key", entrant=tiny)
        sample = production.sample_ready(session, 1, track=None, entrant=None)
    made = production.produce(arena.database, arena.store, [second], workers=0, clock=utc_now)
    assert "its weights differ from those of its other clips" in str(
        production.failure_reason(next(made))
    )
    (found,) = production.recheck(arena.store, sample, workers=0)
    assert not found.ok
    assert "its weights differ from those of its other clips" in found.summary()


def test_a_recheck_reports_missing_masters_and_changed_versions(arena: Arena) -> None:
    produce(arena)
    with arena.database.reading() as session:
        sample = production.sample_ready(session, 2, track=None, entrant=None)
    arena.store.delete(sample[0].master_path)
    other = arena.store.read(sample[1].master_path)[:-1]  # decodes to the same, in other bytes
    arena.store.filesystem.pipe_file(arena.store._full(sample[1].master_path), other)
    sample[1].versions["torch"] = "1.0"
    missing, changed = production.recheck(arena.store, sample, workers=0)
    assert "cannot be compared" in missing.summary()
    assert "torch 1.0, now" in changed.summary()


@pytest.mark.parametrize("broken", ["store", "database"])
def test_a_clip_that_cannot_be_stored_leaves_no_file(
    arena: Arena, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    if broken == "store":
        whole = arena.store.filesystem.pipe_file

        def full(path: str, data: bytes) -> None:
            whole(path, data[:10])
            if "/renditions/" in path:
                raise OSError(28, "No space left on device")

        monkeypatch.setattr(arena.store.filesystem, "pipe_file", full)
    else:

        def locked(*_: object) -> None:
            raise StoreUnavailable("The database is locked.")

        monkeypatch.setattr("arena.production.produce_clips.insert_clip", locked)
    with pytest.raises(ArenaError):
        produce(arena)
    assert [path for path in (tmp_path / "media").rglob("*") if path.is_file()] == []


def test_a_cluster_that_does_not_respond_is_one_sentence(arena: Arena) -> None:
    result = CliRunner().invoke(app, ["generate", "--ray", "127.0.0.1:1"])
    assert isinstance(result.exception, ProductionError)
    assert "No Ray cluster answers at 127.0.0.1:1" in str(result.exception)


def test_a_track_with_other_settings_is_rendered_from_masters(arena: Arena, tmp_path: Path) -> None:
    produce(arena)
    with arena.database.writing() as session:
        small = track_entry(
            "tinier-audio", modality="text-to-video", width=32, height=32, frames=12
        )
        track = add_track(session, small, now=START).track
        for entrant in list_entrants(session):
            entrant.tracks.append(track)
        for prompt in list_prompts(session):
            prompt.tracks.append(track)
    shutil.rmtree(tmp_path / "tiny")  # the weights are gone: the masters are enough
    with arena.database.reading() as session:
        tiny = session.scalars(select(Clip).where(Clip.prompt_id == "p1")).first()
        assert tiny is not None
        path, master = str(tiny.master_path), arena.store.read(str(tiny.master_path))
    words = ["generate", "--track", "tinier-audio", "--masters-of", TRACK]
    arena.store.filesystem.pipe_file(arena.store._full(path), master + b"changed")
    result = CliRunner().invoke(app, [*words, "--limit", "1"], env={"COLUMNS": "200"})
    assert result.exit_code == 1
    assert "is not the file that was stored" in str(result.exception)
    arena.store.filesystem.pipe_file(arena.store._full(path), master)
    result = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    assert "Added 3 clips." in result.output, result.output
    assert "61 missing clips without a master" in result.output  # shipped prompts, the black film
    with arena.database.reading() as session:
        rendered = (Clip.track_id == track.id, Clip.damage.is_(None))
        for clip in session.scalars(select(Clip).where(*rendered)).all():
            seen = probe(arena.store.read(str(clip.rendition_path)))
            assert (seen.width, seen.height, seen.frames) == (32, 32, 12)
            first = session.scalars(
                select(Clip).where(
                    Clip.entrant_id == clip.entrant_id,
                    Clip.prompt_id == clip.prompt_id,
                    Clip.track_id != clip.track_id,
                    Clip.damage.is_(None),
                )
            ).one()
            assert clip.master_sha256 == first.master_sha256
            assert clip.provenance is not None
            assert clip.provenance["adapted"][0] == f"rendered from the master of the track {TRACK}"
        # They were never generated in these terms: nothing to generate again.
        assert production.sample_ready(session, 9, track=track, entrant=None) == []
    again = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    assert f"The track {TRACK} has no masters" in again.output
    wrong = CliRunner().invoke(app, [*words[:-1], "tinier-audio"], env={"COLUMNS": "200"})
    assert wrong.exit_code == 1
    assert "two tracks of one modality" in str(wrong.exception)


def test_a_killed_run_resumes(tmp_path: Path) -> None:
    arena = make_arena_of_films(tmp_path, entrants=3, prompts=8)
    there = list(generate_and_kill(arena, kills=2, seed=1))
    assert there == sorted(there)
    assert there[-1] == 24
    with arena.database.reading() as session:
        for clip in session.scalars(select(Clip)):
            stored = arena.store.read(str(clip.rendition_path))
            assert hashlib.sha256(stored).hexdigest() == clip.sha256


def test_a_clip_that_may_have_been_billed_is_ordered_again_only_on_request(arena: Arena) -> None:
    with arena.database.reading() as session:
        item, other = production.find_pending(session, seed_key="key")[:2]
    for each, maybe_billed in ((item, True), (other, False)):
        failed = FailedClip(each.request, "The answer was lost.", maybe_billed=maybe_billed)
        store_clip(arena.database, arena.store, each, failed, now=START)
    with arena.database.reading() as session:
        pending = {
            each.request.prompt_id for each in production.find_pending(session, seed_key="key")[:1]
        }
        assert pending == {other.prompt_id}
        assert production.count_left_out(session).maybe_billed == 1
        again = production.find_pending(session, seed_key="key", order_again=True)
        assert again[0].prompt_id == item.prompt_id
    result = CliRunner().invoke(app, ["generate", "--limit", "1"], env={"COLUMNS": "300"})
    assert "Left out 1 clip whose order may have been billed" in result.output
    assert "--order-again" in result.output
