"""Tables and charts show every row, in order, and texts of entrants literally."""

import json
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import altair
import pytest

import ratings.schema
from arena.models import VoterKind
from arena.standings.boards import Board, BoardRow, PairRecord
from arena.standings.production_stats import Figure, ProductionStats
from arena.text import utc_text
from arena.web.rendering import tables
from arena.web.rendering.charts import pair_chart, rating_chart
from arena.web.rendering.details import NEIGHBOUR_TABLE
from arena.web.rendering.tables import (
    BOARD_TABLE,
    PRODUCTION_TABLE,
    Column,
    render_board,
    render_production_stats,
    render_table,
)
from arena.web.rendering.theme import DARK, LIGHT

MARKUP = "<img src=x onerror='alert(1)'> **b** $x$ :smile: & \"q\""
VOID_TAGS = {"img", "br", "hr", "input"}


class Table(HTMLParser):
    """The texts of a table's cells, its tags, and whether they are balanced."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: set[str] = set()
        self.titles: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert {name for name, _ in attrs} <= {"class", "scope", "title", "style"}
        self.titles += [value or "" for name, value in attrs if name == "title"]
        if tag not in VOID_TAGS:
            self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "td" in self._open or "th" in self._open:
            self.rows[-1][-1] += data


def board_row(model: str, **values: object) -> BoardRow:
    defaults: dict[str, object] = {
        **{"rank": 1, "rank_lower": 1, "rank_upper": 2, "rating": 1012.3, "rating_lower": 990.0},
        **{"rating_upper": 1034.0, "variance": 120.0, "vote_count": 1200, "wins": 700},
        **{"losses": 300, "ties": 150, "both_bad": 50, "win_rate": 0.6667, "status": "ok"},
        **{"creator": "Labs", "licence": "MIT", "release_date": "2026-11-23"},
        **{"commitment": None, "retired": False},
    }
    return BoardRow(model=model, **(defaults | values))  # type: ignore[arg-type]


UNRATED = dict.fromkeys(
    ("rank", "rank_lower", "rank_upper", "rating", "rating_lower", "rating_upper", "variance")
)


def board_of(*rows: BoardRow) -> Board:
    return Board(
        track="text-to-video",
        category="overall",
        voters=VoterKind.PERSON,
        computed_at=datetime(2026, 11, 23, tzinfo=UTC),
        watermark=1200,
        votes=1200,
        parameters={"ties": "half", "confidence": 0.95, "intervals": "sandwich, by voter"},
        rows=list(rows),
    )


def test_statuses_have_the_same_names_on_pages_as_in_ratings() -> None:
    about = (Path(tables.__file__).parent / "about.md").read_text(encoding="utf-8")
    assert set(tables.STATUSES) == set(ratings.schema.STATUSES)
    for status in tables.STATUSES:
        assert re.search(rf"^\| .*\b{status}\b.* \|", about, re.MULTILINE), status


def test_the_board_has_a_cell_for_every_column_of_every_row() -> None:
    rows = (
        board_row("Alder"),
        board_row("Birch", **UNRATED, vote_count=0, win_rate=None, status="disconnected"),
        board_row("Cedar", creator=None, retired=True, rank=None, status="some-new-status"),
    )
    heading, *cells = Table(render_board(board_of(*rows))).rows
    assert heading == [column.heading for column in BOARD_TABLE]
    assert [len(row) for row in cells] == [len(heading)] * 3
    assert cells[0] == [
        *("1 – 2", "AlderLabs · MIT · 2026-11-23", "1012 +22 −22", "990 – 1034", "67%"),
        *("1,200", "700", "300", "150", "50", "ok"),
    ]
    assert cells[1][:5] == ["–", "BirchLabs · MIT · 2026-11-23", "–", "–", "–"]
    assert cells[1][-1] == "disconnected"
    assert cells[2][1] == "Cedarruns under a codename · retired"
    assert cells[2][-1] == "some-new-status"


def test_a_rating_below_zero_has_the_minus_sign() -> None:
    row = board_row("Alder", rating=-12.0, rating_lower=-40.0, rating_upper=5.0)
    cells = Table(render_board(board_of(row))).rows[1]
    assert cells[2:4] == ["−12 +17 −28", "−40 – 5"]


def test_models_side_by_side_are_apart_with_the_minus_sign() -> None:
    (apart,) = [column for column in NEIGHBOUR_TABLE if column.heading == "Elo apart"]
    row = {"gap": 0.4, "gap_lower": -320.6, "gap_upper": 321.4}
    assert apart.render_cell(row) == "<td>0 <small>(−321 – 321)</small></td>"


def test_a_cell_that_may_be_stacked_names_its_column_and_others_do_not() -> None:
    columns = (Column[str]("It's", lambda row: row),)
    assert "<td data-label='It&#x27;s'>x</td>" in render_table(
        "T", columns, [("x", "")], is_stacked=True
    )
    assert "<td>x</td>" in render_table("T", columns, [("x", "")])


def test_every_form_of_a_time_is_shown_in_one() -> None:
    shown = "2026-11-29 18:47:40 UTC"
    assert utc_text("2026-11-29T18:47:40.123Z") == shown
    assert utc_text("2026-11-29T19:47:40+01:00") == shown
    assert utc_text(datetime(2026, 11, 29, 18, 47, 40, tzinfo=UTC)) == shown


def test_the_board_shows_markup_literally() -> None:
    row = board_row(MARKUP, creator=MARKUP, licence=MARKUP, release_date=MARKUP, status=MARKUP)
    table = Table(render_board(board_of(row)))
    assert table.rows[1][1] == MARKUP + " · ".join([MARKUP] * 3)
    assert table.rows[1][-1] == MARKUP
    assert table.tags <= {
        *("div", "table", "caption", "thead", "tbody", "tr", "th", "td"),
        *("b", "small", "i", "span"),
    }


def stats(model: str, **values: object) -> ProductionStats:
    figure = Figure(value=0.25, lower=0.1, upper=0.5, clips=8)
    defaults: dict[str, object] = {
        **{"clips": 1000, "failed": 2, "refused": 1, "failure_rate": figure},
        **{"refusal_rate": figure, "seconds": Figure(38.456, None, None, 1), "gpu_seconds": None},
        **{"peak_memory_bytes": 3 * 2**29, "cost_per_minute_usd": figure},
        **{"billed_per_minute_usd": None, "hardware": ()},
        **{"order_seconds": figure, "queue_seconds": None},
    }
    return ProductionStats(model=model, **(defaults | values))  # type: ignore[arg-type]


def test_production_statistics_show_intervals_and_leave_unknown_values_empty() -> None:
    table = Table(render_production_stats("text-to-video", [stats("Alder")]))
    heading, cells = table.rows
    assert heading == [column.heading for column in PRODUCTION_TABLE]
    assert cells == [
        *("Alder", "1,000", "25.0% (10.0% – 50.0%)", "25.0% (10.0% – 50.0%)"),
        *("38.46 from 1 clip", "–", "1.50 GiB", "0.250 (0.100 – 0.500)", "–"),
        *("0.2 (0.1 – 0.5) from 8 clips", "–", "–"),
    ]
    assert "from 8 clips" in table.titles


def test_production_statistics_show_markup_literally() -> None:
    record = stats(MARKUP, hardware=(MARKUP, "NVIDIA H100"))
    cells = Table(render_production_stats("text-to-video", [record])).rows[1]
    assert (cells[0], cells[-1]) == (MARKUP, f"{MARKUP}, NVIDIA H100")


def is_valid(chart: dict[str, object] | None) -> bool:
    """Whether a chart is a Vega-Lite specification that JSON can carry."""
    json.dumps(chart, allow_nan=False)
    altair.LayerChart.from_dict(chart, validate=True)
    return True


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_the_rating_chart_has_every_rated_model_best_first(palette: object) -> None:
    rows = (
        board_row("Birch", rating=990.0, rank=1, rank_lower=2),
        board_row(MARKUP, rating=1100.0),
        board_row("Cedar", **UNRATED, status="undefeated"),
    )
    chart = rating_chart(board_of(*rows), palette)  # type: ignore[arg-type]
    assert chart is not None
    assert is_valid(chart)
    assert chart["encoding"]["y"]["sort"] == [MARKUP, "Birch"]
    values = {value["model"]: value for value in chart["data"]["values"]}
    assert values.keys() == {MARKUP, "Birch"}
    axes = [layer["encoding"]["x"]["axis"] for layer in chart["layer"]]
    assert {axis["format"] for axis in axes} == {"~f"}  # 1000, as in the dots' labels
    assert values["Birch"] == {
        **{"model": "Birch", "rating": 990.0, "lower": 990.0, "upper": 1034.0},
        **{"label": "990", "rank": 2, "votes": 1200},
    }


def test_without_ratings_there_is_no_chart() -> None:
    assert rating_chart(board_of(), LIGHT) is None
    assert rating_chart(board_of(board_row("Alder", **UNRATED)), LIGHT) is None
    assert pair_chart([], ["Alder"], LIGHT) is None
    unplayed = PairRecord("Alder", "Birch", votes=0, wins=0, losses=0, ties=0, both_bad=0)
    assert pair_chart([unplayed], ["Alder", "Birch"], LIGHT) is None


def test_the_pair_chart_counts_ties_and_both_bad_as_half_a_win() -> None:
    order = [MARKUP, "Birch"]
    record = PairRecord(MARKUP, "Birch", votes=10, wins=4, losses=2, ties=3, both_bad=1)
    chart = pair_chart([record], order, DARK)
    assert chart is not None
    assert is_valid(chart)
    value, reverse = chart["data"]["values"]
    assert (value["row"], value["column"], value["share"]) == (MARKUP, "Birch", 0.6)
    assert value["record"] == "4 won, 2 lost, 3 equal, 1 both bad"
    assert (reverse["row"], reverse["column"], reverse["share"]) == ("Birch", MARKUP, 0.4)
    assert reverse["record"] == "2 won, 4 lost, 3 equal, 1 both bad"
    assert chart["encoding"]["x"]["sort"] == chart["encoding"]["y"]["sort"] == order
