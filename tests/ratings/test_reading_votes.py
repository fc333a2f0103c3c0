"""Files of votes."""

import pandas as pd
import pytest

import ratings

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
    frame = ratings.read_votes(path, columns=["evaluation_session_id", "absent"])
    battles = ratings.Battles.from_frame(frame)
    assert battles.models == ("7", "Foal S", "NA")
    assert battles.a.tolist() == [2, 0, 1]
    assert battles.weight.tolist() == [1, 0.5, 2]
    assert frame["evaluation_session_id"].tolist() == ["x", "y", "x"]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_names_are_read_as_categories(tmp_path, suffix):
    frame = ratings.read_votes(write(FRAME, tmp_path / f"votes{suffix}"))
    assert isinstance(frame["model_a"].dtype, pd.CategoricalDtype)


def test_empty_files(tmp_path):
    (tmp_path / "none.jsonl").write_text("")
    write(FRAME.iloc[:0], tmp_path / "none.csv")
    for name in ("none.jsonl", "none.csv"):
        assert len(ratings.Battles.from_frame(ratings.read_votes(tmp_path / name)).a) == 0


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("votes.xlsx", b"", r"none of \.csv, \.parquet, \.jsonl"),
        ("votes.csv", b"", r"votes\.csv is empty"),
        ("votes.csv", b'model_a,model_b,winner\n"a,b', r"cannot be read as \.csv: "),
        ("votes.csv", b"model_a,model_b,winner\n\xff,y,tie", r"cannot be read as \.csv: "),
        ("votes.parquet", b"not parquet", r"cannot be read as \.parquet: "),
        ("votes.csv", b"a,b,w\nx,y,z", r"columns model_a, .* found: a, b, w"),
        ("votes.jsonl", b'{"a": 1}', r"columns model_a, .* found: a"),
        ("votes.jsonl", b'{"a', r"cannot be read as \.jsonl: row 1: "),
        ("votes.jsonl", b"3", r"cannot be read as \.jsonl: row 1 is no JSON object"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(tmp_path, name, content, message):
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


@pytest.mark.parametrize("rows", ["A,B,model_a,9,9\nA,C,model_b\n", "A,B,model_a\nA,C,model_b,9\n"])
def test_cells_beyond_the_columns_shift_nothing(tmp_path, rows):
    path = tmp_path / "votes.csv"
    path.write_text("model_a,model_b,winner\n" + rows)
    frame = ratings.read_votes(path)
    assert frame.astype(str).to_numpy().tolist() == [["A", "B", "model_a"], ["A", "C", "model_b"]]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_reading_tells_how_far_it_is(tmp_path, suffix):
    path = write(pd.concat([FRAME] * 2000), tmp_path / f"votes{suffix}")
    told = []
    frame = ratings.read_votes(path, progress=lambda done, size: told.append((done, size)))
    assert len(frame) == 2000 * len(FRAME)
    assert told == sorted(told)
    assert told[-1] == (path.stat().st_size, path.stat().st_size)
