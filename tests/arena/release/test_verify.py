"""Whatever was touched in a release is found, and named in one line."""

import hashlib
import random
import shutil
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
    return release(opened, releases / "second", now=NOW + timedelta(days=1))


@pytest.fixture
def folder(pristine: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / "release"))


def complaint(folder: Path) -> str:
    """What verification says; it says one line."""
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


def test_what_was_released_verifies(folder: Path) -> None:
    report = verify_release(folder)
    assert (report.votes, report.simulated) == (len(read_rows(folder, "votes")), 60)
    assert report.leaderboards == 16  # two days, tracks, categories and kinds of voters
    assert report.formats == FORMATS
    assert "no seals" in str(report)


@pytest.mark.parametrize("format_", FORMATS)
def test_one_format_alone_verifies(pristine: Path, tmp_path: Path, format_: str) -> None:
    folder = Path(shutil.copytree(pristine, tmp_path / "release"))
    for path in folder.iterdir():
        if path.suffix[1:] in set(FORMATS) - {format_}:
            path.unlink()
    croissant = folder / "croissant.json"
    croissant.write_text('{"distribution": []}')
    forge_sums(folder)
    assert verify_release(folder).formats == (format_,)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("format_", FORMATS)
def test_a_vote_changed_in_one_file_is_named(
    folder: Path, change: Callable[[Rows], None], format_: str
) -> None:
    before = read_rows(folder, "votes")
    rewrite(folder, "votes", change, formats=(format_,))
    told = complaint(folder)
    assert f"votes.{format_}" in told
    place = len(before) if change is invent else 8 if change is repeat else 7
    assert f"row {place + 1} " in told


@pytest.mark.parametrize("change", CHANGES)
def test_a_vote_changed_everywhere_is_found_though_sums_were_rewritten(
    folder: Path, change: Callable[[Rows], None]
) -> None:
    rewrite(folder, "votes", change)
    forge_sums(folder)
    told = complaint(folder)
    # A wrong count names the leaderboard's row; everything else names the vote, and an invented
    # vote took the id of a skip.
    named = {flip: "leaderboard.*, row ", uncount: "leaderboard.*, row ", invent: "skips.*, row "}
    assert told.startswith(named.get(change, "votes.*, row "))


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_vote_is_named_though_every_format_was_changed(
    folder: Path, change: Callable[[Rows], None]
) -> None:
    rewrite(folder, "votes", change)
    assert "row " in complaint(folder)


def test_any_one_vote_turned_round_is_found(pristine: Path, tmp_path: Path) -> None:
    rng = random.Random(0)
    for name in ("votes", "simulated"):
        for place in rng.sample(range(len(read_rows(pristine, name))), 4):
            folder = Path(shutil.copytree(pristine, tmp_path / f"{name}-{place}"))

            def turn(rows: Rows, place: int = place) -> None:
                rows[place]["winner"] = FLIPPED[rows[place]["winner"]]

            rewrite(folder, name, turn)
            forge_sums(folder)
            assert "and the votes give" in complaint(folder)


@pytest.mark.parametrize("name", ["votes", "simulated"])
def test_any_one_dropped_vote_is_found(pristine: Path, tmp_path: Path, name: str) -> None:
    rows = read_rows(pristine, name)
    for place in (0, len(rows) // 2, len(rows) - 1):
        folder = Path(shutil.copytree(pristine, tmp_path / str(place)))
        rewrite(folder, name, lambda rows, place=place: rows.pop(place))
        forge_sums(folder)
        assert complaint(folder)


def test_a_dropped_skip_leaves_a_gap_in_its_voters_answers(folder: Path) -> None:
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
    assert "it is this voter's answer" in complaint(folder)


@pytest.mark.parametrize(
    ("table", "column", "value", "told"),
    [
        ("votes", "prompt_id", "p-9", "there is no prompt 'p-9' in prompts"),
        ("votes", "track", "dressage", "there is no track 'dressage' in tracks"),
        ("votes", "model_b", "Dogwood", "there is no model 'Dogwood' in models"),
        ("votes", "clip_a", "0" * 64, "clips.* has no clip_a of this model and prompt"),
        ("votes", "categories", "odd", "its categories are not those of its prompt"),
        ("votes", "voter_kind", "simulated", "voter_kind is 'simulated', not 'person'"),
        ("simulated", "voter_kind", "person", "voter_kind is 'person', not 'simulated'"),
        ("votes", "winner", "left", "winner is 'left'"),
        ("votes", "winner", None, "winner is None"),
        ("votes", "id", "x", "this is no vote's id"),
        ("skips", "battle_id", "1", "its battle stands in votes.*"),
        ("leaderboard", "rating", 1500.0, "rating is 1500.0, and the votes give"),
        ("leaderboard", "rating", None, "rating is empty, and the votes give"),
        ("leaderboard", "wins", 0, "wins is 0, and the votes give"),
        ("leaderboard", "rank", 3, "rank is 3, and the votes give"),
        ("leaderboard", "status", "ok", "status is ok, and the votes give preliminary"),
        ("leaderboard", "organization", "Nobody", "organization is not the creator in models"),
        ("leaderboard", "watermark", 10**6, "its watermark is not that of the leaderboard's"),
        ("leaderboard", "model_name", "Dogwood", "there is no model 'Dogwood' in models"),
        ("models", "model", "Dogwood", "there is no model"),
        ("tracks", "ties", "drop", "and the votes give"),
    ],
)
def test_what_does_not_fit_is_named(
    folder: Path, table: str, column: str, value: object, told: str
) -> None:
    place = 1 if table == "leaderboard" else 0
    rewrite(folder, table, lambda rows: rows[place].__setitem__(column, value))
    forge_sums(folder)
    assert told in complaint(folder)


def test_a_leaderboard_without_one_of_its_models_is_found(folder: Path) -> None:
    rewrite(folder, "leaderboard", lambda rows: rows.pop(0))
    forge_sums(folder)
    assert "has votes for this leaderboard and is not in it" in complaint(folder)


def test_todays_leaderboards_cannot_be_left_out(folder: Path) -> None:
    def keep_the_first_day(rows: Rows) -> None:
        rows[:] = [row for row in rows if row["leaderboard_publish_date"] == "2026-11-23"]

    rewrite(folder, "leaderboard", keep_the_first_day)
    forge_sums(folder)
    assert "newer than the last leaderboard" in complaint(folder)


def test_every_byte_of_every_file_is_covered(pristine: Path, tmp_path: Path) -> None:
    for path in sorted(pristine.iterdir()):
        folder = Path(shutil.copytree(pristine, tmp_path / path.name))
        changed = bytearray((folder / path.name).read_bytes()) or bytearray(2)
        changed[len(changed) // 2] ^= 1
        (folder / path.name).write_bytes(changed)
        told = complaint(folder)
        assert path.name == "SHA256SUMS" or path.name in told or path.stem in told


@pytest.mark.parametrize("name", ["README.md", "croissant.json", "seals.json", "clips.csv"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert f"{name} is missing" in complaint(folder)
    sums = (folder / "SHA256SUMS").read_text().splitlines()
    kept = [line for line in sums if not line.endswith(name)]
    (folder / "SHA256SUMS").write_text("\n".join(kept) + "\n")
    assert f"{name} is missing" in complaint(folder)


def test_a_file_that_does_not_belong_is_named(folder: Path) -> None:
    (folder / "extra.txt").write_text("hello")
    assert complaint(folder) == "extra.txt is not listed in SHA256SUMS."
    (folder / "extra.txt").unlink()
    (folder / "extra.txt").symlink_to(folder / "votes.csv")
    assert "extra.txt is no plain file" in complaint(folder)


def test_sums_that_lead_out_of_the_folder_are_refused(folder: Path) -> None:
    with (folder / "SHA256SUMS").open("a") as file:
        file.write(f"{'0' * 64}  ../secret\n")
    assert "this is no sum of a file of the release" in complaint(folder)


def test_another_folder_is_no_release(tmp_path: Path) -> None:
    assert "is no release: it has no SHA256SUMS" in complaint(tmp_path)
    assert "is no release: it has no SHA256SUMS" in complaint(tmp_path / "nowhere")


def test_a_column_too_few_is_named(folder: Path) -> None:
    path = folder / "tracks.csv"
    path.write_text(path.read_text().replace("ties", "knots", 1))
    assert complaint(folder) == "tracks.csv has no column 'ties'."


def test_croissant_must_describe_these_files(folder: Path) -> None:
    before = (folder / "croissant.json").read_text()
    rewrite(folder, "votes", lambda rows: rows[0].__setitem__("reasons", "spite"))
    forge_sums(folder)
    (folder / "croissant.json").write_text(before)
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    kept = [line for line in lines if not line.endswith("croissant.json")]
    kept.append(f"{hashlib.sha256(before.encode()).hexdigest()}  croissant.json")
    (folder / "SHA256SUMS").write_text("\n".join(kept) + "\n")
    assert "is not the file that croissant.json describes" in complaint(folder)
