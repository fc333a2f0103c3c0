"""Prompts and manifests from spreadsheets and scripts: read rightly, or refused by row."""

import json
from pathlib import Path

import pytest

from arena.catalog.manifest import read_manifest
from arena.catalog.schemas import read_prompts
from arena.errors import CatalogError, ProductionError

HEADER = "entrant,prompt_id,track,path,seed\n"


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id,text\np1,Sunrise, over a calm sea\n", "row 1: 3 cells, the header has 2"),
        ("id,text\np1,a\np2,b,c\n", "row 2: 3 cells"),
        ("id,text,private\np1,a\n", "row 1: 2 cells, the header has 3"),
        ("id,text\rp1,a\rp2,b,c\r", "row 2: 3 cells"),
        ("id,text\np1,a c\0at\n", "row 1, column 'text': .* control character U\\+0000"),
        ("id,text\np1,a\np2,b\x1b[31m\n", "row 2, column 'text': it contains the control"),
        (
            "id,text\np1,a \u202egnol\u202c text\n",
            "row 1, column 'text': .*direction mark U\\+202E",
        ),
        ("id,text\np1,a\u2067b\n", "direction mark U\\+2067"),
        ("id,text,categories\np1,a,x\x07\n", "column 'categories'"),
        ("id,text\np1,a\np1,b\n", "row 2: the id 'p1' was used in row 1"),
        ("id,text,text\np1,a,b\n", "two columns 'text'"),
        ("id,text,\np1,a,\n", "column 3 has no name"),
        ("id;text\np1;a\n", "separate its cells by commas"),
        ('id,text\np1,"never closed\n', "row 1: not a row of a CSV table"),
        (b"id,text\np1,caf\xe9\n", "line 2: not UTF-8 text"),
    ],
)
def test_a_table_of_prompts_that_cannot_be_read_rightly_is_refused(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    with pytest.raises(CatalogError, match=message) as caught:
        read_prompts(write(tmp_path / "p.csv", content))
    assert "\n" not in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("ends", ["\n", "\r", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_and_line_ends_of_spreadsheets_are_read(
    tmp_path: Path, ends: str, encoding: str
) -> None:
    text = f'id,text{ends}p1,"Sunrise, over a calm sea"{ends}{ends}p2,可灵 \u200fשלום{ends}'
    prompts = read_prompts(write(tmp_path / "p.csv", text.encode(encoding)))
    assert [(each.id, each.text) for each in prompts] == [
        ("p1", "Sunrise, over a calm sea"),
        ("p2", "可灵 \u200fשלום"),
    ]


def test_json_lines_keep_numbers_and_line_breaks(tmp_path: Path) -> None:
    rows = [{"id": 7, "text": "one\r\ntwo"}, {"id": "x", "text": "a\u2028b", "private": True}]
    path = write(
        tmp_path / "p.jsonl", "\n\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    )
    assert [(each.id, each.text) for each in read_prompts(path)] == [
        ("7", "one\ntwo"),
        ("x", "a\u2028b"),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"id": "p1", "text": "a\\u0000"}', "row 2, column 'text': .*U\\+0000"),
        ('{"id": "p1", "text": "\\ud83d"}', "half of a character"),
        ('{"id": "p1", "text": ["a"]}', "row 2: text = "),
        ('{"id": true, "text": "a"}', "row 2: id = true"),
        ("[1]", "row 2: not a JSON object"),
        ("{", "row 2: not a JSON object"),
        ("[" * 5000, "row 2: not a JSON object"),
    ],
)
def test_json_lines_that_are_wrong_name_their_row(tmp_path: Path, line: str, message: str) -> None:
    path = write(tmp_path / "p.jsonl", f'{{"id": "p0", "text": "b"}}\n{line}\n')
    with pytest.raises(CatalogError, match=message):
        read_prompts(path)


@pytest.mark.parametrize(
    ("cell", "seed"), [("", 0), ("7", 7), ("7.0", 7), (" 12 ", 12), ("0.00", 0)]
)
def test_seeds_as_programs_write_them(tmp_path: Path, cell: str, seed: int) -> None:
    path = write(tmp_path / "m.csv", f"{HEADER}Alder,p1,tiny,a.mp4,{cell}\n")
    assert [row.seed for row in read_manifest(path)] == [seed]


@pytest.mark.parametrize("cell", ["²", "٣", "-1", "7.5", "1e3", "nan", "9" * 5000, "one"])
def test_seeds_that_are_not_whole_numbers_name_their_row(tmp_path: Path, cell: str) -> None:
    path = write(tmp_path / "m.csv", f"{HEADER}Alder,p1,tiny,a.mp4,{cell}\n")
    with pytest.raises(ProductionError, match=r"row 1: the seed '.*' is not a whole") as caught:
        read_manifest(path)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("Alder,p1,tiny,a.mp4,0,left over\n", "row 1: 6 cells, the header has 5"),
        ("Alder,p1,tiny,a.mp4\n", "row 1: 4 cells"),
        ("Alder,p1,tiny,,0\n", "row 1: the column 'path' is empty"),
        ("Alder,p1,tiny,a\0.mp4,0\n", "column 'path': it contains the control character"),
        ("Alder,p1,tiny,a.mp4,0\nAlder,p1,tiny,b.mp4,0.0\n", "row 2: row 1 is of the same"),
    ],
)
def test_a_manifest_that_is_wrong_names_its_row(tmp_path: Path, rows: str, message: str) -> None:
    with pytest.raises(ProductionError, match=message):
        read_manifest(write(tmp_path / "m.csv", HEADER + rows))
    with pytest.raises(ProductionError, match="unknown column 'note'"):
        read_manifest(write(tmp_path / "m.csv", HEADER.replace("seed", "note") + rows[:0]))
