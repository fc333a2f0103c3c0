"""Votes as researchers have them: other layouts, formats, compressions, and repeated files."""

import bz2
import gzip
import io
import lzma
import sys
import zipfile

import pandas as pd
import pytest

import ratings
from ratings.__main__ import main
from ratings.diagnostics.preferences import Preferences

ROWS = [
    ("Alder", "Birch", "model_a"),
    ("Birch", "Cedar", "model_b"),
    ("Cedar", "Alder", "tie"),
    ("Alder", "Cedar", "model_a"),
    ("Birch", "Alder", "model_a"),
]
FRAME = pd.DataFrame(ROWS, columns=["model_a", "model_b", "winner"])


def run(capsys, *arguments):
    status = main([*map(str, arguments), "--format", "csv", "--cluster", "none"])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.fixture
def expected(capsys, tmp_path):
    """The leaderboard of `FRAME`."""
    path = tmp_path / "plain.csv"
    FRAME.to_csv(path, index=False)
    status, out, err = run(capsys, path)
    assert (status, err) == (0, "")
    return out


def write(path, text):
    data = text if isinstance(text, bytes) else text.encode()
    path.write_bytes(data)
    return path


CSV = FRAME.to_csv(index=False)
TSV = FRAME.to_csv(index=False, sep="\t")
JSONL = FRAME.to_json(orient="records", lines=True)


FILES = {
    "votes.tsv": TSV,
    "votes.ndjson": JSONL,
    "votes.csv.gz": gzip.compress(CSV.encode()),
    "votes.tsv.bz2": bz2.compress(TSV.encode()),
    "votes.jsonl.xz": lzma.compress(JSONL.encode()),
    "votes.gz": gzip.compress(JSONL.encode()),
    "named-plain-but-compressed.csv": gzip.compress(CSV.encode()),
    "utf-16.csv": CSV.encode("utf-16"),
    "bom.csv": CSV.encode("utf-8-sig"),
    "cr.csv": CSV.replace("\n", "\r").encode(),
}


# By name: gzip writes the time into its files, and two test processes must name a test the same.
@pytest.mark.parametrize("name", FILES)
def test_other_formats_are_read(capsys, tmp_path, expected, name):
    assert run(capsys, write(tmp_path / name, FILES[name])) == (0, expected, "")


def test_a_zip_of_one_file_is_read(capsys, tmp_path, expected):
    path = tmp_path / "votes.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("folder/votes.csv", CSV)
        archive.writestr("__MACOSX/folder/._votes.csv", "x")
    assert run(capsys, path) == (0, expected, "")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("other.csv", CSV)
    status, _, err = run(capsys, path)
    assert status == 1
    assert "votes.zip holds 2 files" in err


@pytest.mark.parametrize("data", [CSV.encode(), TSV.encode(), JSONL.encode()])
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_standard_input_is_read(capsys, monkeypatch, expected, data, compress):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(compress(data))))
    assert run(capsys, "-") == (0, expected, "")


def test_an_error_in_standard_input_names_it_and_the_row(capsys, monkeypatch):
    text = CSV + "Alder,Birch,nobody\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    status, _, err = run(capsys, "-")
    assert status == 1
    assert "row 6: winner is 'nobody'" in err
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\x1f\x8bbroken")))
    status, _, err = run(capsys, "-")
    assert status == 1
    assert err.count("\n") == 1


@pytest.mark.parametrize("ends", ["\n", "\r", "\r\n"])
@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_a_ragged_row_is_named_whatever_ends_the_rows(capsys, tmp_path, ends, suffix):
    mark = "," if suffix == "csv" else "\t"
    rows = [",".join(row) for row in ROWS]
    rows[3] += ",left over"
    text = ends.join(["model_a,model_b,winner", *rows, ""]).replace(",", mark)
    status, _, err = run(capsys, write(tmp_path / f"votes.{suffix}", text))
    assert status == 1
    assert f"votes.{suffix}, row 4: 4 cells, the header has 3" in err


def test_layouts_of_published_sets_are_read(capsys, tmp_path, expected):
    sides = FRAME.rename(columns={"model_a": "left_model", "model_b": "right_model"})
    words = {"model_a": "left", "model_b": "right"}
    choice = sides.assign(choice=FRAME["winner"].replace(words)).drop(columns="winner")
    choice.to_json(tmp_path / "choice.jsonl", orient="records", lines=True)

    name = FRAME.apply(lambda row: row[row["winner"]] if row["winner"] in row else "tie", axis=1)
    FRAME.assign(winner=name).to_csv(tmp_path / "names.csv", index=False)

    equal = FRAME["winner"] == "tie"
    comparia = pd.DataFrame(
        {
            "model_a_name": FRAME["model_a"],
            "model_b_name": FRAME["model_b"],
            "chosen_model_name": name.where(~equal),
            "both_equal": equal,
        }
    )
    comparia.to_csv(tmp_path / "comparia.csv", index=False)
    comparia.to_parquet(tmp_path / "comparia.parquet")
    for file in ("choice.jsonl", "names.csv", "comparia.csv", "comparia.parquet"):
        assert run(capsys, tmp_path / file) == (0, expected, ""), file


@pytest.mark.parametrize(
    ("chosen", "equal", "message"),
    [
        ("Cedar", "False", "chosen_model_name is 'Cedar', not the name of one of its two models"),
        ("", "False", "chosen_model_name is empty"),
        ("Alder", "True", "chosen_model_name is 'Alder'"),
    ],
)
def test_a_winner_that_no_one_can_be_is_named(capsys, tmp_path, chosen, equal, message):
    text = (
        "model_a_name,model_b_name,chosen_model_name,both_equal\n"
        f"Cedar,Alder,Alder,False\nAlder,Birch,{chosen},{equal}\n"
    )
    status, _, err = run(capsys, write(tmp_path / "votes.csv", text))
    assert status == 1
    assert "votes.csv, row 2" in err
    assert message in err


def test_options_name_other_columns_and_words(capsys, tmp_path, expected):
    words = {"model_a": "1", "model_b": "2", "tie": "draw"}
    odd = pd.DataFrame(
        {
            "user": "u1",
            "links": FRAME["model_a"],
            "rechts": FRAME["model_b"],
            "winner": "unused",
            "urteil": FRAME["winner"].replace(words),
        }
    )
    odd.to_csv(tmp_path / "odd.csv", index=False)
    odd.to_json(tmp_path / "odd.jsonl", orient="records", lines=True)
    odd.to_parquet(tmp_path / "odd.parquet")
    columns = ("--columns", "model_a=links", "model_b=rechts", "winner=urteil", "voter=user")
    words_option = ("--words", "1=model_a", "2=model_b", "draw=tie")
    for suffix in ("csv", "jsonl", "parquet"):
        path = tmp_path / f"odd.{suffix}"
        assert run(capsys, path, *columns, *words_option) == (0, expected, "")
        assert run(capsys, *columns, *words_option, path) == (0, expected, "")
    status, _, err = run(capsys, tmp_path / "odd.csv", *columns)
    assert status == 1
    assert "row 1: winner is '1'" in err
    assert "no column is named 'loser'" in run(capsys, path, "--columns", "loser=x")[2]
    assert "no answer is 'won'" in run(capsys, path, "--words", "1=won")[2]


def test_a_number_is_one_name_and_bytes_are_text(tmp_path):
    frame = pd.DataFrame(
        {"model_a": [1, 2, 3], "model_b": [2.0, 3.0, 1.0], "winner": ["model_a", "tie", "model_b"]}
    )
    assert ratings.Battles.from_frame(frame).models == ("1", "2", "3")
    binary = FRAME.map(str.encode)
    binary.to_parquet(tmp_path / "votes.parquet")
    battles = ratings.Battles.from_frame(ratings.read_votes(tmp_path / "votes.parquet"))
    assert battles.models == ("Alder", "Birch", "Cedar")
    broken = FRAME.astype(object)
    broken.loc[1, "model_a"] = b"\xff"
    with pytest.raises(ratings.VotesError, match="is not UTF-8 text"):
        ratings.Battles.from_frame(broken)


def test_a_vote_that_occurs_twice_counts_once(capsys, tmp_path, expected):
    FRAME.assign(id=[f"v{i}" for i in range(len(FRAME))]).to_csv(tmp_path / "one.csv", index=False)
    status, out, err = run(capsys, tmp_path / "one.csv", tmp_path / "one.csv")
    assert (status, out) == (0, expected)
    assert err == "ratings: 5 votes stand twice, with the same id: counted once\n"

    other = FRAME.iloc[[0]].assign(id="v3").to_csv(index=False)
    status, _, err = run(capsys, tmp_path / "one.csv", write(tmp_path / "two.csv", other))
    assert status == 1
    assert "two.csv, row 1: the id v3 is that of another vote in" in err
    assert "one.csv, row 4" in err


def test_the_row_of_an_error_is_right_after_votes_were_left_out(capsys, tmp_path):
    FRAME.assign(id=range(5)).to_csv(tmp_path / "one.csv", index=False)
    wrong = [*ROWS[:2], ("Alder", "", "tie")]
    again = pd.DataFrame(wrong, columns=FRAME.columns).assign(id=[0, 1, 9])
    again.to_csv(tmp_path / "two.csv", index=False)
    status, _, err = run(capsys, tmp_path / "one.csv", tmp_path / "two.csv")
    assert status == 1
    assert "two.csv, row 3: model_b is empty" in err


def test_the_side_that_played_first_may_be_named_left_or_right(tmp_path):
    path = tmp_path / "votes.csv"
    shares = []
    for names in (("a", "b"), ("left", "right")):
        first = [names[i % 2] for i in range(len(FRAME))]
        voter = [f"u{i}" for i in range(len(FRAME))]
        FRAME.assign(first=first, voter=voter).to_csv(path, index=False)
        battles = ratings.Battles.from_frame(ratings.read_votes(path))
        shares.append(Preferences(battles, "voter").first_share(0.95))
    assert shares[0] == shares[1]
    assert shares[0].votes > 0
    FRAME.assign(first="middle", voter="u").to_csv(path, index=False)
    battles = ratings.Battles.from_frame(ratings.read_votes(path))
    with pytest.raises(ratings.VotesError, match="row 1: first is 'middle'"):
        Preferences(battles, "voter").first_share(0.95)
