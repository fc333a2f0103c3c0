"""Control characters of names, prompts and servers reach neither a terminal nor a page's text."""

import json
import logging
from io import StringIO
from pathlib import Path

import pytest

from arena.commands.output import SafeConsole, show_json, show_table
from arena.text import page_text
from arena.web.server.log import _PrintableFormatter
from generator.printable import printable as printable_in_generator
from ratings.__main__ import main as ratings_main
from ratings.printable import printable, printable_json

CONTROLS = [*range(0x00, 0x0A), *range(0x0B, 0x20), *range(0x7F, 0xA0)]
BIDI = [*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C]
SEPARATORS = [0x2028, 0x2029]
DANGEROUS = [chr(code) for code in (*CONTROLS, *BIDI, *SEPARATORS)]
HARMLESS = "Grün, 你好, עברית, العربية, 👩‍💻, e\u0301, tab-free\nsecond line"


@pytest.mark.parametrize("make", [printable, printable_in_generator])
def test_every_control_character_is_shown_as_an_escape(make: object) -> None:
    for character in DANGEROUS:
        shown = make(f"a{character}b")  # type: ignore[operator]
        assert shown.isprintable(), hex(ord(character))
        assert shown.startswith("a\\")
    assert make("name\udcff.mp4") == "name\\udcff.mp4"  # type: ignore[operator]
    assert make(HARMLESS) == HARMLESS  # type: ignore[operator]


def test_a_json_document_keeps_its_meaning() -> None:
    document = {"name": "".join(DANGEROUS) + HARMLESS}
    text = printable_json(json.dumps(document, ensure_ascii=False, indent=2))
    assert not [character for character in DANGEROUS if character in text]
    assert json.loads(text) == document


def test_pages_show_text_without_control_characters() -> None:
    assert page_text("A\x1b[31m\x9b\x00 \u202ered\u202c\r\nnext\tcell") == "A[31m red\nnext\tcell"
    assert page_text(HARMLESS) == HARMLESS


@pytest.mark.parametrize("on_terminal", [True, False])
def test_messages_and_tables_of_the_arena_never_send_an_escape_sequence(
    on_terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = StringIO()
    console = SafeConsole(
        file=file, force_terminal=on_terminal, color_system=None, markup=False, soft_wrap=True
    )
    monkeypatch.setattr("arena.commands.output.out", console)
    evil = "Model\x1b]0;title\x07\x1b[2J\u202e\x9b31m"
    console.print(evil)
    show_table(evil, (evil, "n"), [(evil, 1), ([evil, evil], None)], with_title=True)
    show_json([{"name": evil}])
    shown = file.getvalue() + capsys.readouterr().out
    assert "Model\\x1b]0;title" in shown
    assert not [character for character in DANGEROUS if character in shown]


def test_log_lines_have_no_control_characters() -> None:
    record = logging.makeLogRecord({"msg": "refused %s", "args": ("\x1b[31m\r\nforged",)})
    assert _PrintableFormatter("%(message)s").format(record) == "refused \\x1b[31m\\r\nforged"


def test_the_command_line_of_ratings_shows_names_and_errors_safely(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    votes = tmp_path / "votes.csv"
    rows = ["model_a,model_b,winner", "A\x1b[31m,B\u202e,model_a", "B\u202e,A\x1b[31m,model_a"]
    votes.write_text("\n".join([*rows, ""]), encoding="utf-8")
    assert ratings_main([str(votes)]) == 0
    assert ratings_main([str(votes), "--format", "json"]) == 0
    assert ratings_main([str(tmp_path / "no\x1b[2Jfile.csv")]) == 1
    shown = capsys.readouterr()
    assert "A\\x1b[31m" in shown.out
    assert "\\x1b[2J" in shown.err
    assert not [c for c in DANGEROUS if c in shown.out + shown.err]
