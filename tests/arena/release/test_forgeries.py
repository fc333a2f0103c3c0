"""Whatever is changed in a release is found, and the vote, or file and row, is named."""

import json
import random
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

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
from sealed_arena import seal, signer_of

from arena.audit.keys import RELEASE_DOMAIN, Signer, new_signer
from arena.canonical import canonical_json
from arena.catalog import claims
from arena.catalog.entering import enter
from arena.catalog.entrants import find_entrant
from arena.catalog.openings import read_opening
from arena.errors import ReleaseError
from arena.release.manifest import make_manifest
from arena.release.schema import SIMULATED, SKIPS, TABLES, VOTES, ColumnType
from arena.release.verify import verify_release
from small_arena import (
    PROMPTS,
    START,
    entrant_entry,
    fill_small_arena,
    new_database,
    ready_clip,
)

FORMATS = ("parquet",)  # what several formats do to each other is in `test_verify`
CODENAMES = {"Elm": "Grey Colt", "Fir": "Bay Mare"}


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Votes of two days, a codename that is claimed and one that is not."""
    folder = tmp_path_factory.mktemp("arena")
    opened = new_database(folder)
    fill_small_arena(opened)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("small_arena.NAMES", ("Alder", "Birch", "Cedar", *CODENAMES))
        paths = {}
        for number, (name, codename) in enumerate(CODENAMES.items()):
            entered = enter(
                opened,
                folder,
                entrant_entry(name, codename=codename, creator="Kennel Club"),
                fingerprint=f"clips_sha256:{number:064x}",
                now=START,
            )
            paths[name] = entered.opening
        seal(opened)
        with opened.writing() as session:
            for name in CODENAMES:
                entrant = find_entrant(session, name)
                for track in entrant.tracks:
                    session.add_all(ready_clip(track, entrant, key) for key in PROMPTS)
    let_people_vote(opened, people=3)
    let_simulated_voters_vote(opened)
    seal(opened)
    release(opened, folder / "first", formats=FORMATS)
    let_people_vote(opened, people=1, days_later=1)
    opening = read_opening(paths["Elm"])  # type: ignore[arg-type]
    opened.write(lambda session: claims.claim(session, "Grey Colt", opening, now=START))
    release(opened, folder / "second", formats=FORMATS, now=NOW + timedelta(days=1))
    return opened, folder / "second"


@pytest.fixture(scope="module")
def pristine(arena: Any) -> Path:
    return Path(arena[1])


@pytest.fixture(scope="module")
def signer(arena: Any) -> Signer:
    return signer_of(arena[0])


def error_of(folder: Path, **options: Any) -> str:
    """Return the error of verification, which is one line."""
    with pytest.raises(ReleaseError) as caught:
        verify_release(folder, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def errors_of(pristine: Path, folder: Path, forge: Callable[[Path], object]) -> list[str]:
    """The errors of a forged copy, first with the old checksums and then with rewritten ones."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(pristine, folder)
    forge(folder)
    first = error_of(folder)
    forge_sums(folder)
    return [first, error_of(folder)]


def other_value(column: str, kind: ColumnType, value: Any) -> Any:
    """Another value of a cell, as a careful forger would choose it."""
    if kind is ColumnType.BOOLEAN:
        return not value
    if kind is ColumnType.INTEGER:
        return (value or 0) + 1
    if kind is ColumnType.NUMBER:
        return (value or 0.0) / 2 + 0.01
    swaps = {"winner": {"model_a": "model_b"}, "first": {"a": "b"}}
    if column == "timestamp":
        return value.replace("2026", "2025")
    return swaps.get(column, {}).get(value) or ("1" if value is None else f"{value}1")


def test_the_release_verifies_with_each_of_the_arenas_keys(pristine: Path, signer: Signer) -> None:
    report = verify_release(pristine, key=signer.fingerprint)
    assert report.is_pinned
    assert (report.claims, report.seals) == (1, 3)
    assert signer.fingerprint in str(report)
    assert "unpinned" in str(verify_release(pristine))
    assert "does not follow" in error_of(pristine, key=new_signer().fingerprint)


VOTE_COLUMNS = [
    (schema.name, column.name)
    for schema in (VOTES, SIMULATED, SKIPS)
    for column in schema.columns
    if schema is VOTES or column.name in ("id", "timestamp", "reasons", "model_a")
]


@pytest.mark.parametrize(("table", "column"), VOTE_COLUMNS)
def test_a_change_in_any_column_names_the_vote(
    pristine: Path, tmp_path: Path, table: str, column: str
) -> None:
    schema = next(schema for schema in TABLES if schema.name == table)
    kind = next(each.type for each in schema.columns if each.name == column)
    rows = read_rows(pristine, table)
    position = random.Random(column).randrange(len(rows))
    vote_id = rows[position]["id"]

    def change(changed: Rows) -> None:
        changed[position][column] = other_value(column, kind, changed[position][column])

    def forge(folder: Path) -> None:
        rewrite(folder, table, change, formats=FORMATS)

    for error in errors_of(pristine, tmp_path / "forged", forge):
        assert f"vote {vote_id})" in error, error


def drop(rows: Rows, position: int) -> list[str]:
    return [rows.pop(position)["id"]]


def repeat(rows: Rows, position: int) -> list[str]:
    rows.insert(position, dict(rows[position]))
    return [rows[position]["id"]]


def invent(rows: Rows, position: int) -> list[str]:
    row = dict(rows[position]) | {"id": "100000", "battle_id": "100000"}
    rows.append(row)
    return [row["id"]]


def swap(rows: Rows, position: int) -> list[str]:
    other = (position + 5) % len(rows)
    rows[position], rows[other] = rows[other], rows[position]
    return [rows[position]["id"], rows[other]["id"]]


def exchange(rows: Rows, position: int) -> list[str]:
    """Two votes exchange everything but their ids."""
    other = (position + 5) % len(rows)
    ids = rows[position]["id"], rows[other]["id"]
    rows[position], rows[other] = (
        rows[other] | {"id": ids[0]},
        rows[position] | {"id": ids[1]},
    )
    return list(ids)


@pytest.mark.parametrize("change", [drop, repeat, invent, swap, exchange])
@pytest.mark.parametrize("table", ["votes", "simulated", "skips"])
def test_votes_that_are_dropped_added_or_moved_are_named(
    pristine: Path, tmp_path: Path, table: str, change: Callable[[Rows, int], list[str]]
) -> None:
    length = len(read_rows(pristine, table))
    for position in {0, length // 2, length - 1}:
        ids: list[str] = []

        def forge(folder: Path, position: int = position, ids: list[str] = ids) -> None:
            def apply(rows: Rows) -> None:
                ids[:] = change(rows, position)

            rewrite(folder, table, apply, formats=FORMATS)

        for error in errors_of(pristine, tmp_path / "forged", forge):
            assert any(f"vote {vote_id})" in error for vote_id in ids), (error, ids)


def test_any_set_of_changed_votes_is_named(pristine: Path, tmp_path: Path) -> None:
    rng = random.Random(4)
    for number in range(4):
        chosen: list[str] = []

        def forge(folder: Path, chosen: list[str] = chosen) -> None:
            def apply(rows: Rows) -> None:
                picked = rng.sample(range(len(rows)), rng.randint(2, 15))
                chosen[:] = [rows[position]["id"] for position in picked]
                for position in picked:
                    rows[position]["watched_a_ms"] = 7

            rewrite(folder, "votes", apply, formats=FORMATS)

        for error in errors_of(pristine, tmp_path / f"{number}", forge):
            assert all(f"vote {vote_id})" in error for vote_id in chosen)


OTHER_COLUMNS = [
    (schema.name, column.name)
    for schema in TABLES
    if schema.name in ("models", "prompts", "clips", "tracks", "leaderboard")
    for column in schema.columns
]


@pytest.mark.parametrize(("table", "column"), OTHER_COLUMNS)
def test_a_change_in_any_other_table_names_file_and_row(
    pristine: Path, tmp_path: Path, table: str, column: str
) -> None:
    schema = next(schema for schema in TABLES if schema.name == table)
    kind = next(each.type for each in schema.columns if each.name == column)
    position = random.Random(column).randrange(len(read_rows(pristine, table)))

    def change(rows: Rows) -> None:
        rows[position][column] = other_value(column, kind, rows[position][column])

    def forge(folder: Path) -> None:
        rewrite(folder, table, change, formats=FORMATS)

    for error in errors_of(pristine, tmp_path / "forged", forge):
        assert error.startswith(table), error
        assert f"row {position + 1} " in error, error


def change_json(name: str, change: Callable[[Any], object]) -> Callable[[Path], object]:
    def forge(folder: Path) -> None:
        document = json.loads((folder / name).read_text())
        change(document)
        (folder / name).write_text(json.dumps(document))

    return forge


JSON_FORGERIES = {
    "a seal's root": ("seals.json", lambda it: it["seals"][1]["payload"].update(root="0" * 64)),
    "a seal dropped": ("seals.json", lambda it: it["seals"].pop(1)),
    "the last seal dropped": ("seals.json", lambda it: it["seals"].pop()),
    "all seals dropped": ("seals.json", lambda it: it["seals"].clear()),
    "a signature": ("seals.json", lambda it: it["seals"][2].update(signature="00" * 64)),
    "a key": ("seals.json", lambda it: it["keys"][0].update(public_key="00" * 32)),
    "a commitment": (
        "seals.json",
        lambda it: it["seals"][0]["payload"]["commitments"].clear(),
    ),
    "an opening's name": (
        "openings.json",
        lambda it: it["openings"][0]["opening"].update(name="Oak"),
    ),
    "an opening dropped": ("openings.json", lambda it: it["openings"].clear()),
    "an opening's date": (
        "openings.json",
        lambda it: it["openings"][0].update(published_at="2020-01-01T00:00:00Z"),
    ),
    "the manifest's tracks": ("manifest.json", lambda it: it["manifest"].update(tracks=[])),
    "the manifest's signature": ("manifest.json", lambda it: it.update(signature="00" * 64)),
    "croissant": ("croissant.json", lambda it: it.update(name="other")),
}


@pytest.mark.parametrize("name", JSON_FORGERIES)
def test_a_change_of_a_document_names_the_file(pristine: Path, tmp_path: Path, name: str) -> None:
    file, change = JSON_FORGERIES[name]
    for error in errors_of(pristine, tmp_path / "forged", change_json(file, change)):
        named = {file, "models.*", "manifest.json", "no seal covers it"}
        assert any(each in error for each in named), error


@pytest.mark.parametrize("name", ["README.md", "votes.parquet", "seals.json", "manifest.json"])
def test_a_file_that_is_removed_from_the_checksums_too_is_named(
    pristine: Path, tmp_path: Path, name: str
) -> None:
    def forge(folder: Path) -> None:
        (folder / name).unlink()
        path = folder / "croissant.json"
        croissant = json.loads(path.read_text())
        croissant["distribution"] = [
            file for file in croissant["distribution"] if file["contentUrl"] != name
        ]
        path.write_text(json.dumps(croissant))

    for error in errors_of(pristine, tmp_path / "forged", forge):
        assert name in error


def test_a_manifest_signed_by_somebody_else_is_refused(
    pristine: Path, tmp_path: Path, signer: Signer
) -> None:
    """A forger who makes everything match, and has no key of the arena."""
    vote_id = read_rows(pristine, "votes")[9]["id"]
    forger = new_signer()

    def forge(folder: Path) -> None:
        def flip(rows: Rows) -> None:
            rows[9]["winner"] = "tie" if rows[9]["winner"] != "tie" else "both_bad"

        rewrite(folder, "votes", flip, formats=FORMATS)
        document = json.loads((folder / "manifest.json").read_text())
        from arena.release.tables import read_table

        tables = {
            schema.name: read_table(folder / f"{schema.name}.parquet", schema) for schema in TABLES
        }
        stated = document["manifest"]
        text = make_manifest(
            tables,
            stated["files"],
            signer=forger,
            seal=stated["seal"],
            watermark=int(stated["watermark"]),
            tracks=stated["tracks"],
            made_at=stated["made_at"],
        )
        (folder / "manifest.json").write_text(text)

    for error in errors_of(pristine, tmp_path / "forged", forge):
        # No hash of the row is left, but the signed root covers its seal's votes.
        first, last = error.split("one of the votes ")[1].split(" was changed")[0].split(" to ")
        assert int(first) <= int(vote_id) <= int(last)
    assert canonical_json({}) == "{}"
    assert signer.sign(RELEASE_DOMAIN, "") != forger.sign(RELEASE_DOMAIN, "")
