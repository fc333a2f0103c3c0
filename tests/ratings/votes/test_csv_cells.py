"""Cells that a spreadsheet would run as formulas are escaped, and read back as they were."""

from pathlib import Path

import pytest

from ratings.__main__ import main
from ratings.csv_cells import escape_cell, unescape_cell, unescape_cells
from ratings.votes.reading import read_votes

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "=cmd|' /C calc'!A0", "'=1", "''@x", "="]
PLAIN = ["", "a=b", "'quoted'", "'", "''", "Model - 2", "1-1", " =1", "’=1"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_is_escaped_and_read_back(text: str) -> None:
    assert escape_cell(text) == f"'{text}"
    assert unescape_cell(escape_cell(text)) == text


@pytest.mark.parametrize("text", PLAIN)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert escape_cell(text) == unescape_cell(text) == text


def test_a_column_of_another_program_is_not_changed() -> None:
    assert list(unescape_cells(["=x", "'=x"])) == ["=x", "'=x"]
    assert list(unescape_cells(["'=x", "a"])) == ["=x", "a"]


def test_votes_with_escaped_names_are_read_under_their_names(tmp_path: Path) -> None:
    path = tmp_path / "votes.csv"
    path.write_text("model_a,model_b,winner\n'=A,B,model_a\nB,'=A,model_a\n'=A,'-C,tie\n")
    frame = read_votes(path)
    assert set(frame["model_a"]) | set(frame["model_b"]) == {"=A", "B", "-C"}


def test_the_leaderboard_as_csv_is_escaped_and_as_json_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "votes.csv"
    path.write_text("model_a,model_b,winner\n'=A,B,model_a\nB,'=A,model_a\n")
    assert main([str(path), "--format", "csv"]) == 0
    assert ",'=A," in capsys.readouterr().out
    assert main([str(path), "--format", "json"]) == 0
    assert '"=A"' in capsys.readouterr().out
