"""Every change to a release is detected and named in one line."""

import hashlib
import random
import shutil
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from released_arena import (
    NOW,
    Rows,
    forge_sums,
    let_people_vote,
    let_simulated_voters_vote,
    read_rows,
    release,
    rewrite,
)

from arena.errors import ReleaseError
from arena.release.tables import FORMATS
from arena.release.verify import verify_release
from small_arena import fill_small_arena, new_database

FLIPPED = {"model_a": "model_b", "model_b": "model_a", "tie": "both_bad", "both_bad": "tie"}


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release of two days, in all formats."""
    opened = new_database(tmp_path_factory.mktemp("arena"))
    fill_small_arena(opened)
    let_people_vote(opened, people=3)
    let_simulated_voters_vote(opened)
    releases = tmp_path_factory.mktemp("releases")
    release(opened, releases / "first")
    let_people_vote(opened, people=2, days_later=1)
    for format_ in FORMATS:
        release(opened, releases / format_, formats=(format_,), now=NOW + timedelta(days=1))
    return release(opened, releases / "second", now=NOW + timedelta(days=1))


@pytest.fixture
def folder(pristine: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / "release"))


def error_of(folder: Path) -> str:
    """Return the error of verification, which is one line."""
    with pytest.raises(ReleaseError) as caught:
        verify_release(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def flip(rows: Rows) -> None:
    rows[7]["winner"] = FLIPPED[rows[7]["winner"]]


def drop(rows: Rows) -> None:
    del rows[7]


def repeat(rows: Rows) -> None:
    rows.insert(8, dict(rows[7]))


def invent(rows: Rows) -> None:
    number = str(int(rows[-1]["id"]) + 1)
    last = max(
        row["evaluation_order"]
        for row in rows
        if row["evaluation_session_id"] == rows[-1]["evaluation_session_id"]
    )
    rows.append({**rows[-1], "id": number, "battle_id": f"9{number}", "evaluation_order": last + 1})


def swap(rows: Rows) -> None:
    rows[7], rows[8] = rows[8], rows[7]


def rename(rows: Rows) -> None:
    taken = {rows[7]["model_a"], rows[7]["model_b"]}
    rows[7]["model_a"] = ({"Alder", "Birch", "Cedar"} - taken).pop()


def uncount(rows: Rows) -> None:
    rows[7]["counted"] = False


CHANGES = [flip, drop, repeat, invent, swap, rename, uncount]


def test_an_unchanged_release_verifies(folder: Path) -> None:
    report = verify_release(folder)
    assert (report.votes, report.simulated) == (len(read_rows(folder, "votes")), 60)
    assert report.leaderboards == 16  # two days, tracks, categories and kinds of voters
    assert report.formats == FORMATS
    assert "unpinned" in str(report)


@pytest.mark.parametrize("format_", FORMATS)
def test_a_single_format_verifies(pristine: Path, format_: str) -> None:
    assert verify_release(pristine.parent / format_).formats == (format_,)


# Every change in one format, and one change in every format.
@pytest.mark.parametrize(
    ("change", "format_"),
    [*((change, "csv") for change in CHANGES), (flip, "parquet"), (drop, "jsonl")],
)
def test_a_vote_changed_in_one_file_is_found(
    folder: Path, change: Callable[[Rows], None], format_: str
) -> None:
    before = read_rows(folder, "votes")
    rewrite(folder, "votes", change, formats=(format_,))
    message = error_of(folder)
    assert f"votes.{format_}" in message
    position = len(before) if change is invent else 8 if change is repeat else 7
    assert f"row {position + 1} " in message


@pytest.mark.parametrize("change", CHANGES)
def test_a_vote_changed_in_every_file_is_found_with_forged_checksums(
    folder: Path, change: Callable[[Rows], None]
) -> None:
    before = read_rows(folder, "votes")
    rewrite(folder, "votes", change)
    forge_sums(folder)
    message = error_of(folder)
    vote_id = str(int(before[-1]["id"]) + 1) if change is invent else before[7]["id"]
    assert message.startswith("votes.parquet, row ")
    assert f"(vote {vote_id})" in message


@pytest.mark.parametrize("change", CHANGES)
def test_a_vote_changed_in_every_format_is_found(
    folder: Path, change: Callable[[Rows], None]
) -> None:
    rewrite(folder, "votes", change)
    assert "row " in error_of(folder)


def test_any_single_flipped_vote_is_found(pristine: Path, tmp_path: Path) -> None:
    rng = random.Random(0)
    for name in ("votes", "simulated"):
        for position in rng.sample(range(len(read_rows(pristine, name))), 4):
            folder = Path(shutil.copytree(pristine, tmp_path / f"{name}-{position}"))

            def flip_one(rows: Rows, position: int = position) -> None:
                rows[position]["winner"] = FLIPPED[rows[position]["winner"]]

            rewrite(folder, name, flip_one)
            vote_id = read_rows(folder, name)[position]["id"]
            forge_sums(folder)
            assert f"(vote {vote_id}) was changed" in error_of(folder)


@pytest.mark.parametrize("name", ["votes", "simulated"])
def test_any_single_dropped_vote_is_found(pristine: Path, tmp_path: Path, name: str) -> None:
    rows = read_rows(pristine, name)
    for position in (0, len(rows) // 2, len(rows) - 1):
        folder = Path(shutil.copytree(pristine, tmp_path / str(position)))
        rewrite(folder, name, lambda rows, position=position: rows.pop(position))
        forge_sums(folder)
        assert f"(vote {rows[position]['id']}) was dropped" in error_of(folder)


def test_a_dropped_skip_leaves_a_gap_in_the_numbering(folder: Path) -> None:
    later = {
        row["evaluation_session_id"]: row["evaluation_order"] for row in read_rows(folder, "votes")
    }

    def drop_one_between(rows: Rows) -> None:
        rows.remove(
            next(
                row for row in rows if row["evaluation_order"] < later[row["evaluation_session_id"]]
            )
        )

    rewrite(folder, "skips", drop_one_between)
    forge_sums(folder)
    assert "it is this voter's answer" in error_of(folder)


@pytest.mark.parametrize(
    ("table", "column", "value", "message"),
    [
        ("votes", "prompt_id", "p-9", "prompts.* has no prompt 'p-9'"),
        ("votes", "track", "dressage", "tracks.* has no track 'dressage'"),
        ("votes", "model_b", "Dogwood", "models.* has no model 'Dogwood'"),
        ("votes", "clip_a", "0" * 64, "clips.* has no such clip_a of this model and prompt"),
        ("votes", "categories", "odd", "its categories differ from those of its prompt"),
        ("votes", "voter_kind", "simulated", "voter_kind is 'simulated', not 'person'"),
        ("simulated", "voter_kind", "person", "voter_kind is 'person', not 'simulated'"),
        ("votes", "winner", "left", "winner is 'left'"),
        ("votes", "winner", None, "winner is None"),
        ("votes", "id", "x", "the id is not a number"),
        ("skips", "battle_id", "1", "its battle is also in votes.*"),
        ("leaderboard", "rating", 1500.0, "rating is 1500.0, but the votes give"),
        ("leaderboard", "rating", None, "rating is empty, but the votes give"),
        ("leaderboard", "wins", 0, "wins is 0, but the votes give"),
        ("leaderboard", "rank", 3, "rank is 3, but the votes give"),
        ("leaderboard", "status", "ok", "status is ok, but the votes give preliminary"),
        ("leaderboard", "organization", "Nobody", "organization differs from creator in models"),
        ("leaderboard", "watermark", 10**6, "its watermark differs from that of the leaderboard's"),
        ("leaderboard", "model_name", "Dogwood", "models.* has no model 'Dogwood'"),
        ("models", "model", "Dogwood", "models.* has no model"),
        ("tracks", "ties", "drop", "but the votes give"),
    ],
)
def test_inconsistencies_are_named(
    folder: Path, table: str, column: str, value: object, message: str
) -> None:
    position = 1 if table == "leaderboard" else 0
    rewrite(folder, table, lambda rows: rows[position].__setitem__(column, value))
    forge_sums(folder)
    assert message in error_of(folder)


def test_a_leaderboard_without_one_of_its_models_is_found(folder: Path) -> None:
    rewrite(folder, "leaderboard", lambda rows: rows.pop(0))
    forge_sums(folder)
    assert "has votes for this leaderboard but is not in it" in error_of(folder)


def test_the_latest_leaderboards_cannot_be_omitted(folder: Path) -> None:
    def keep_the_first_day(rows: Rows) -> None:
        rows[:] = [row for row in rows if row["leaderboard_publish_date"] == "2026-11-23"]

    rewrite(folder, "leaderboard", keep_the_first_day)
    forge_sums(folder)
    assert "newer than the last leaderboard" in error_of(folder)


def test_every_byte_of_every_file_is_covered(pristine: Path, tmp_path: Path) -> None:
    for path in sorted(pristine.iterdir()):
        folder = Path(shutil.copytree(pristine, tmp_path / path.name))
        changed = bytearray((folder / path.name).read_bytes()) or bytearray(2)
        changed[len(changed) // 2] ^= 1
        (folder / path.name).write_bytes(changed)
        message = error_of(folder)
        assert path.name == "SHA256SUMS" or path.name in message or path.stem in message


@pytest.mark.parametrize("name", ["README.md", "croissant.json", "seals.json", "clips.csv"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert f"{name} is missing" in error_of(folder)
    sums = (folder / "SHA256SUMS").read_text().splitlines()
    kept = [line for line in sums if not line.endswith(name)]
    (folder / "SHA256SUMS").write_text("\n".join(kept) + "\n")
    assert f"{name} is missing" in error_of(folder)


def test_an_extra_file_is_named(folder: Path) -> None:
    (folder / "extra.txt").write_text("hello")
    assert error_of(folder) == "extra.txt is not listed in SHA256SUMS."
    (folder / "extra.txt").unlink()
    (folder / "extra.txt").symlink_to(folder / "votes.csv")
    assert "extra.txt is not a regular file" in error_of(folder)


def test_checksums_of_files_outside_the_folder_are_refused(folder: Path) -> None:
    with (folder / "SHA256SUMS").open("a") as file:
        file.write(f"{'0' * 64}  ../secret\n")
    assert "not a checksum of a file in the release" in error_of(folder)


def test_a_folder_without_checksums_is_not_a_release(tmp_path: Path) -> None:
    assert "is not a release: it has no readable SHA256SUMS" in error_of(tmp_path)
    assert "is not a release: it has no readable SHA256SUMS" in error_of(tmp_path / "nowhere")


def test_a_missing_column_is_named(folder: Path) -> None:
    path = folder / "tracks.csv"
    path.write_text(path.read_text().replace("ties", "knots", 1))
    assert error_of(folder) == "tracks.csv has no column 'ties'."


def test_a_vote_that_one_format_has_otherwise_is_named_by_its_id(folder: Path) -> None:
    path = folder / "votes.csv"
    header, first, *others = path.read_text(encoding="utf-8").split("\n")
    winner = next(each for each in FLIPPED if f",{each}," in first)
    changed = first.replace(f",{winner},", f",{FLIPPED[winner]},", 1)
    path.write_text("\n".join([header, changed, *others]), encoding="utf-8")
    vote = first.split(",")[0]
    assert error_of(folder).startswith(f"votes.csv, row 1 (vote {vote}): winner is ")


def test_a_column_that_no_other_check_reads_is_covered(folder: Path) -> None:
    before = (folder / "croissant.json").read_text()
    rewrite(folder, "votes", lambda rows: rows[0].__setitem__("reasons", "spite"))
    forge_sums(folder)
    (folder / "croissant.json").write_text(before)
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    kept = [line for line in lines if not line.endswith("croissant.json")]
    kept.append(f"{hashlib.sha256(before.encode()).hexdigest()}  croissant.json")
    (folder / "SHA256SUMS").write_text("\n".join(kept) + "\n")
    assert "votes.parquet, row 1 (vote 1) was changed" in error_of(folder)


def test_what_others_put_beside_a_release_is_left_out_and_reported(folder: Path) -> None:
    for name in (
        ".git/objects/ab/cd",
        ".cache/huggingface/download/votes.csv.metadata",
        "__MACOSX/._votes.csv",
        "media/.DS_Store",
        "._README.md",
        ".gitattributes",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"not of the release")
    (folder / ".git" / "link").symlink_to("/etc/hostname")
    report = verify_release(folder)
    assert report.left_out == (
        "._README.md",
        ".cache",
        ".git",
        ".gitattributes",
        "__MACOSX",
        "media/.DS_Store",
    )
    assert ".gitattributes" in str(report)
    assert "\n" not in str(report)
    (folder / ".hidden").write_text("of nobody")
    assert error_of(folder) == ".hidden is not listed in SHA256SUMS."


def test_a_listed_file_is_checked_whatever_its_name(folder: Path) -> None:
    (folder / ".gitattributes").write_text("listed")
    digest = hashlib.sha256(b"listed").hexdigest()
    with (folder / "SHA256SUMS").open("a") as file:
        file.write(f"{digest}  .gitattributes\n")
    assert verify_release(folder).left_out == ()
    (folder / ".gitattributes").write_text("changed")
    assert ".gitattributes was changed" in error_of(folder)


@pytest.mark.parametrize("style", ["binary mode", "crlf", "upper case", "dot"])
def test_sums_of_other_programs_are_read(folder: Path, style: str) -> None:
    path = folder / "SHA256SUMS"
    text = path.read_text()
    change = {
        "binary mode": lambda: text.replace("  ", " *"),
        "crlf": lambda: text.replace("\n", "\r\n"),
        "upper case": lambda: "".join(
            line[:64].upper() + line[64:] for line in text.splitlines(keepends=True)
        ),
        "dot": lambda: text.replace("  ", "  ./"),
    }[style]
    path.write_bytes(change().encode())
    assert verify_release(folder).files > 0
    (folder / "README.md").write_text("changed")
    assert "README.md was changed" in error_of(folder)


@pytest.mark.parametrize("top", ["", "release-1/"])
def test_a_zip_archive_is_verified_as_it_is(folder: Path, tmp_path: Path, top: str) -> None:
    path = tmp_path / "release.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in folder.rglob("*"):
            if file.is_file():
                archive.write(file, top + file.relative_to(folder).as_posix())
        archive.writestr("__MACOSX/._votes.csv", "x")
        archive.writestr(f"{top}.DS_Store", "x")
    report = verify_release(path)
    assert report.folder == path
    assert "__MACOSX" in report.left_out
    rewrite(folder, "votes", flip)
    changed = tmp_path / "changed.zip"
    with zipfile.ZipFile(changed, "w") as archive:
        for file in folder.rglob("*"):
            if file.is_file():
                archive.write(file, top + file.relative_to(folder).as_posix())
    assert error_of(changed) == f"{changed}: {error_of(folder)}"


@pytest.mark.parametrize("name", ["../outside.txt", "/outside.txt", "a/../../outside.txt"])
def test_an_archive_writes_nothing_outside_its_folder(tmp_path: Path, name: str) -> None:
    path = tmp_path / "release.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, "x")
    assert "is not a regular file inside the archive" in error_of(path)
    assert not (tmp_path / "outside.txt").exists()


def test_links_damage_and_archives_that_are_too_large_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "release.zip"
    link = zipfile.ZipInfo("SHA256SUMS")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(link, "/etc/hostname")
    assert "is not a regular file inside the archive" in error_of(path)
    path.write_bytes(path.read_bytes()[:-30])
    assert "cannot be read as a ZIP archive" in error_of(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("zeros", bytes(2**20))
    assert "it has no readable SHA256SUMS" in error_of(path)
    monkeypatch.setattr("arena.release.archive.MAX_BYTES", 2**19)
    assert "may be used" in error_of(path)
