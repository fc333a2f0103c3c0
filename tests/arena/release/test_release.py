"""A release has every vote once, gives the same leaderboard, and reveals any change."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
from sealed_arena import signer_of

import ratings
from arena.catalog.entrants import add_entrant
from arena.catalog.prompts import import_prompts
from arena.catalog.schemas import PromptEntry, read_track
from arena.catalog.tracks import add_track
from arena.database import Database
from arena.errors import ReleaseError
from arena.models import VoterKind
from arena.release import export_release
from arena.release.verify import verify_release
from arena.shipped import Collection, track_files
from arena.simulation import simulate
from arena.standings import standings
from arena.standings.boards import board_frame
from ratings import TIE_RULES
from small_arena import (
    NAMES,
    PROMPTS,
    START,
    TRACK,
    Booth,
    add_clips,
    entrant_entry,
    new_database,
)

COLUMNS = (
    "id,model_a,model_b,winner,evaluation_session_id,evaluation_order,language,timestamp,"
    "battle_id,track,prompt_id,categories,clip_a,clip_b,probability,sampler,watched_a_ms,"
    "watched_b_ms,heard_a_ms,heard_b_ms,first,decided_ms,reasons,voter_kind,counted,hold_rule,"
    "repeat_of"
).split(",")


def fill(database: Database) -> None:
    for number in range(4):
        booth = Booth(database, key=f"{number:032x}")
        for turn in range(10):
            booth.vote(("a", "b", "a", "tie", "bad", "b", "a", "skip")[(turn + number) % 8])


def export(database: Database, folder: Path, **options: object) -> Path:
    defaults: dict[str, object] = {"formats": ("parquet", "csv", "jsonl"), "now": START}
    defaults["signer"] = signer_of(database)
    export_release(database, folder, track=None, **(defaults | options))  # type: ignore[arg-type]
    return folder


@pytest.fixture(scope="module")
def voted(shared_database: Database) -> Database:
    fill(shared_database)
    return shared_database


@pytest.fixture(scope="module")
def exported(voted: Database, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(voted, tmp_path_factory.mktemp("exported") / "release")


@pytest.fixture
def release(exported: Path, tmp_path: Path) -> Path:
    """A copy of the release, which a test may change."""
    return Path(shutil.copytree(exported, tmp_path / "release"))


def test_votes_have_the_published_columns_and_occur_once(release: Path) -> None:
    votes = pd.read_csv(release / "votes.csv", dtype={"id": str})
    skips = pd.read_csv(release / "skips.csv")
    assert list(votes.columns) == COLUMNS
    assert votes["id"].is_unique
    assert len(votes) + len(skips) == 40
    assert set(votes["winner"]) == {"model_a", "model_b", "tie", "both_bad"}
    assert votes["timestamp"].str.endswith("Z").all()
    for format_ in ("parquet", "csv", "jsonl"):
        assert (release / f"holds.{format_}").exists()


def test_ratings_computes_the_arenas_leaderboard_from_the_release(
    release: Path, voted: Database
) -> None:
    battles = ratings.Battles.from_frame(ratings.read_votes(release / "votes.parquet"))
    board = ratings.leaderboard(battles, ties="half", both_bad="tie")
    shown = board_frame(standings.leaderboard(voted, track_name=TRACK, now=START))
    assert list(board["model"]) == list(shown["model"])
    assert list(board["rating"]) == pytest.approx(list(shown["rating"]))


@pytest.mark.parametrize("ties", TIE_RULES)
def test_every_tie_rule_works_from_the_track_file_to_verification(
    tmp_path: Path, ties: str
) -> None:
    shipped = next(path for path in track_files(Collection.DEMO) if path.stem == TRACK)
    file = tmp_path / "track.toml"
    file.write_text(shipped.read_text().replace('ties = "half"', f'ties = "{ties}"'))
    database = new_database(tmp_path)
    with database.writing() as session:
        track = add_track(session, read_track(file), now=START).track
        assert track.ties == ties
        for name in NAMES:
            add_entrant(session, entrant_entry(name, tracks=(TRACK,)), now=START)
        prompts = [PromptEntry(id=key, text=key) for key in PROMPTS]
        import_prompts(session, prompts, now=START)
    add_clips(database)
    fill(database)
    board = standings.leaderboard(database, track_name=TRACK, now=START)
    assert board.parameters["ties"] == ties
    folder = export(database, tmp_path / "release")
    battles = ratings.Battles.from_frame(ratings.read_votes(folder / "votes.parquet"))
    expected = ratings.leaderboard(battles, ties=ties, both_bad="tie")
    assert {row.model: row.rating for row in board.rows} == pytest.approx(
        dict(zip(expected["model"], expected["rating"], strict=True))
    )
    assert verify_release(folder).leaderboards > 0
    tracks = pd.read_csv(folder / "tracks.csv")
    assert list(tracks["ties"]) == [ties]


def test_an_exported_release_verifies(release: Path) -> None:
    report = verify_release(release)
    assert report.votes == len(pd.read_csv(release / "votes.csv"))
    assert report.leaderboards > 0


def test_voters_have_different_pseudonyms_in_every_release(
    exported: Path, voted: Database, tmp_path: Path
) -> None:
    again = export(voted, tmp_path / "again", formats=("csv",))
    sessions = [
        set(pd.read_csv(folder / "votes.csv")["evaluation_session_id"])
        for folder in (exported, again)
    ]
    assert len(sessions[0]) == 4
    assert not sessions[0] & sessions[1]


def test_a_folder_with_files_is_left_unchanged(arena_database: Database, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ReleaseError):
        export(arena_database, tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_simulated_votes_are_reproducible_and_in_a_separate_file(
    arena_database: Database, tmp_path: Path
) -> None:
    cast = simulate(
        arena_database, votes=90, track=TRACK, voters=10, seed=3, now=START, on_vote=lambda: None
    )
    folder = export(arena_database, tmp_path / "release")
    simulated = pd.read_csv(folder / "simulated.csv")
    assert cast == len(simulated) == 90
    assert set(simulated["voter_kind"]) == {"simulated"}
    assert len(pd.read_csv(folder / "votes.csv")) == 0
    board = standings.leaderboard(
        arena_database, track_name=TRACK, voters=VoterKind.SIMULATED, now=START
    )
    # Quality rises with the name's place in the small arena.
    assert [row.model for row in board.rows] == ["Cedar", "Birch", "Alder"]
    verify_release(folder)
