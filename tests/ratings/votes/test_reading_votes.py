"""Reading files of votes."""

import sys

import pandas as pd
import pytest

import ratings
from ratings.cli.report_kinds import REPORTS
from ratings.schema import COLUMN_ALIASES, PROMPT, VOTER
from ratings.votes.cluster_columns import find_column
from ratings.votes.columns import USED

FRAME = pd.DataFrame(
    {
        "id": ["v1", "v2", "v3"],
        "model_a": ["NA", "7", "Foal S"],
        "model_b": ["7", "Foal S", "NA"],
        "winner": ["model_a", "tie", "both_bad"],
        "weight": [1.0, 0.5, 2.0],
        "evaluation_session_id": ["x", "y", "x"],
        "timestamp": ["2026-11-23T10:00:00Z"] * 3,
    }
)


def write(frame, path):
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    elif path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_json(path, orient="records", lines=True)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl", ".CSV"])
def test_every_format_gives_the_same_votes(tmp_path, suffix):
    path = tmp_path / f"votes{suffix}"
    write(FRAME, path.with_suffix(suffix.lower())).rename(path)
    frame = ratings.read_votes(path, columns=["id"])
    battles = ratings.Battles.from_frame(frame)
    assert battles.models == ("7", "Foal S", "NA")
    assert battles.a.tolist() == [2, 0, 1]
    assert battles.weight.tolist() == [1, 0.5, 2]
    assert frame["evaluation_session_id"].tolist() == ["x", "y", "x"]
    assert frame["id"].tolist() == ["v1", "v2", "v3"]
    assert "id" not in ratings.read_votes(path)
    with pytest.raises(ratings.VotesError, match=r"votes\.\w+ has no column 'language'"):
        ratings.read_votes(path, columns=["language"])


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_repeated_texts_become_categories(tmp_path, suffix):
    frame = ratings.read_votes(write(FRAME, tmp_path / f"votes{suffix}"))
    for name in ("model_a", "model_b", "winner", "evaluation_session_id"):
        assert isinstance(frame[name].dtype, pd.CategoricalDtype)
    assert not isinstance(frame["timestamp"].dtype, pd.CategoricalDtype)  # different in every row


def test_columns_that_any_analysis_uses_are_read(tmp_path):
    used = {*(name for kind in REPORTS.values() for name in kind.columns)}
    used |= {VOTER, PROMPT, *COLUMN_ALIASES.values()}
    assert used <= set(USED)
    table = FRAME.assign(**dict.fromkeys(USED, "1"))
    assert set(USED) <= set(ratings.read_votes(write(table, tmp_path / "votes.csv")).columns)


def test_lists_in_unused_columns_are_accepted(tmp_path):
    path = tmp_path / "votes.jsonl"
    path.write_text('{"model_a": "x", "model_b": "y", "winner": "tie", "prompt": ["a", "b"]}\n')
    battles = ratings.Battles.from_frame(ratings.read_votes(path))
    assert len(battles) == 1


def test_empty_files(tmp_path):
    for name in ("none.jsonl", "nothing.csv"):
        (tmp_path / name).write_text("")
    write(FRAME.iloc[:0], tmp_path / "none.csv")
    for name in ("none.jsonl", "nothing.csv", "none.csv"):
        assert len(ratings.Battles.from_frame(ratings.read_votes(tmp_path / name)).a) == 0


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("votes.xlsx", b"", r"not a \.csv, \.parquet or \.jsonl file"),
        ("votes.csv", b'model_a,model_b,winner\n"a,b', r"cannot be read as \.csv: "),
        ("votes.csv", b"model_a,model_b,winner\nS\xf6ra,y,tie", r"line 2 is not UTF-8 text; save"),
        ("votes.jsonl", b'{"model_a": "S\xf6ra"}', r"line 1 is not UTF-8 text; save"),
        ("votes.csv", b"model_a,model_b,winner,winner\nA,B,tie,tie", r"one column 'winner'"),
        ("votes.parquet", b"not parquet", r"cannot be read as \.parquet: "),
        ("votes.csv", b"a,b,w\nx,y,z", r"columns model_a, .* found: a, b, w"),
        ("votes.jsonl", b'{"a": 1}', r"columns model_a, .* found: a"),
        ("votes.jsonl", b'{"a', r"cannot be read as \.jsonl: row 1: "),
        ("votes.jsonl", b"3", r"cannot be read as \.jsonl: row 1 is not a JSON object"),
    ],
)
def test_unreadable_files_are_one_line_errors(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ratings.VotesError, match=message) as caught:
        ratings.Battles.from_frame(ratings.read_votes(tmp_path / name))
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(ratings.VotesError, match="does not exist"):
        ratings.read_votes(tmp_path / "no.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ratings.VotesError, match="cannot be read"):
        ratings.read_votes(tmp_path / "folder.csv")


HEADER = "model_a,model_b,winner,note\n"


@pytest.mark.parametrize(
    ("rows", "row", "cells"),
    [
        ("A,B,tie,\nA,B,tie\n", 2, 3),
        ("A,B,tie,,\nA,B,tie\n", 1, 5),  # the total number of cells is right
        ("A,B,tie,\nA,B,tie,a,b", 2, 5),
        ('"A, x",B,tie,"a\nb"\nA,B,tie\n', 2, 3),
        ("\n  \nA,B,tie,\n\nA,B,tie\n", 2, 3),
        ("A,B,tie,\n" * 60_000 + "A,B\n" + "A,B,tie,\n" * 60_000, 60_001, 2),
    ],
)
def test_a_row_with_more_or_fewer_cells_than_the_header_is_refused(tmp_path, rows, row, cells):
    path = tmp_path / "votes.csv"
    path.write_text(HEADER + rows)
    with pytest.raises(ratings.VotesError, match=f"row {row}: {cells} cells, the header has 4"):
        ratings.read_votes(path)


@pytest.mark.parametrize(
    "rows",
    [
        'A,B,tie,"one, two"\nA,B,tie,"a\nb, c"\n',
        'A,B,tie,5" screen\nA,B,tie,"5"" screen, 7"""\n',
        "A,B,tie,\r\n\r\n   \r\nA,B,tie,x",
        "A,B,tie,x\nA,B,tie,\n\n\n",
    ],
)
def test_commas_and_newlines_in_quotes_do_not_separate_cells(tmp_path, rows):
    path = tmp_path / "votes.csv"
    path.write_bytes(b"\xef\xbb\xbf" + (HEADER + rows).encode())
    assert ratings.read_votes(path)["winner"].tolist() == ["tie", "tie"]


def test_parquet_without_pyarrow_says_how_to_install_it(tmp_path, monkeypatch):
    path = write(FRAME, tmp_path / "votes.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ratings.VotesError, match="needs pyarrow: pip install pyarrow"):
        ratings.read_votes(path)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_reading_reports_progress(tmp_path, suffix):
    path = write(pd.concat([FRAME] * 2000), tmp_path / f"votes{suffix}")
    calls = []
    frame = ratings.read_votes(path, progress=lambda done, size: calls.append((done, size)))
    assert len(frame) == 2000 * len(FRAME)
    assert calls == sorted(calls)
    assert calls[-1] == (path.stat().st_size, path.stat().st_size)


@pytest.mark.parametrize("name", ["user_id", "user", "judge"])
def test_voters_of_published_sets_are_found_where_there_is_no_better_column(tmp_path, name):
    table = FRAME.drop(columns="evaluation_session_id").assign(**{name: "someone"})
    read = ratings.read_votes(write(table, tmp_path / "votes.csv"))
    assert find_column(read, VOTER) == name
    both = read.assign(evaluation_session_id="someone else")
    assert find_column(both, VOTER) == "evaluation_session_id"


def test_a_name_with_a_nul_character_is_refused_with_its_row_and_column():
    frame = pd.DataFrame({"model_a": ["x", "x"], "model_b": ["y", "y\0z"], "winner": "tie"})
    with pytest.raises(ratings.VotesError, match="row 2: model_b has a NUL character"):
        ratings.Battles.from_frame(frame)
