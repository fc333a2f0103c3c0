"""Charts as Vega-Lite specifications, built without pandas or Altair to keep pages cheap."""

from dataclasses import replace
from typing import Any

from arena.standings.boards import Board, PairRecord
from arena.web.rendering.theme import Palette

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"  # an identifier, never fetched
ROW_PX = 40
AXIS_PX = 64  # the axis and its title, which are part of the chart's height
CELL_PX = 52
# Cells whose win rate differs from 50% by more are dark enough to need text in the paper's colour.
DARK_CELL_MARGIN = 0.26
LABEL_PX = 15


def rating_chart(board: Board, palette: Palette) -> dict[str, Any] | None:
    """Ratings as dots with intervals, best model first; None if no model is rated."""
    rated = [row for row in board.rows if row.rating is not None]
    if not rated:
        return None
    values = [
        {
            "model": row.model,
            "rating": round(row.rating or 0, 1),
            "lower": row.rating_lower,
            "upper": row.rating_upper,
            "label": f"{row.rating:.0f}",
            "rank": row.rank_lower,
            "votes": row.vote_count,
        }
        for row in rated
    ]
    order = [row.model for row in sorted(rated, key=lambda row: -(row.rating or 0))]
    y = {
        "field": "model",
        "type": "nominal",
        "sort": order,
        # Space above the first row for its label.
        "scale": {"paddingOuter": 0.4},
        "axis": {
            "title": None,
            "labelFontSize": LABEL_PX,
            "labelLimit": 220,
            "labelColor": palette.ink,
            "ticks": False,
            "domain": False,
            "labelPadding": 12,
        },
    }
    scale = {"zero": False, "nice": True, "padding": 28}
    # Without a comma in thousands, as the labels of the dots; fractions only where ticks need them.
    axis = {
        "format": "~f",
        "title": "Elo",
        "grid": True,
        "gridColor": palette.line,
        "labelColor": palette.soft,
    }
    x = {"field": "rating", "type": "quantitative", "scale": scale, "axis": axis}
    leader = {"condition": {"test": "datum.rank === 1", "value": palette.accent}}
    return {
        "$schema": SCHEMA,
        "background": "transparent",
        "height": ROW_PX * len(rated) + AXIS_PX,
        "data": {"values": values},
        "encoding": {"y": y},
        "layer": [
            {
                "mark": {"type": "rule", "strokeWidth": 9, "strokeCap": "round", "opacity": 0.32},
                "encoding": {
                    "x": {"field": "lower", "type": "quantitative", "scale": scale, "axis": axis},
                    "x2": {"field": "upper"},
                    "color": leader | {"value": palette.soft},
                },
            },
            {
                "mark": {"type": "point", "filled": True, "size": 130, "opacity": 1},
                "encoding": {
                    "x": x,
                    "color": leader | {"value": palette.ink},
                    "tooltip": [
                        {"field": "model", "title": "Model"},
                        {"field": "rating", "title": "Elo", "format": ".0f"},
                        {"field": "lower", "title": "95% interval from", "format": ".0f"},
                        {"field": "upper", "title": "to", "format": ".0f"},
                        {"field": "votes", "title": "Votes"},
                    ],
                },
            },
            {
                "mark": {"type": "text", "dy": -15, "fontSize": 14, "fontWeight": 600},
                "encoding": {"x": x, "text": {"field": "label"}, "color": {"value": palette.ink}},
            },
        ],
        "config": {"view": {"stroke": None}, "axis": {"domainColor": palette.line}},
    }


def pair_chart(
    records: list[PairRecord], order: list[str], palette: Palette
) -> dict[str, Any] | None:
    """Win rate of row against column, ties and both bad as half a win; None without votes.

    Args:
        records: each pair once.
        order: of the models in rows and columns.
        palette: the theme's colours.
    """
    mirrored = [
        replace(
            record,
            model_a=record.model_b,
            model_b=record.model_a,
            wins=record.losses,
            losses=record.wins,
        )
        for record in records
    ]
    values = [
        {
            "row": record.model_a,
            "column": record.model_b,
            "share": (record.wins + (record.ties + record.both_bad) / 2) / record.votes,
            "votes": record.votes,
            "record": f"{record.wins} won, {record.losses} lost, "
            f"{record.ties} equal, {record.both_bad} both bad",
        }
        for record in (*records, *mirrored)
        if record.votes
    ]
    if not values:
        return None
    axis = {
        "title": None,
        "labelLimit": 180,
        "labelFontSize": 13,
        "labelColor": palette.ink,
        "ticks": False,
        "domain": False,
        "labelPadding": 8,
    }
    is_dark = f"abs(datum.share - 0.5) > {DARK_CELL_MARGIN}"
    size = {"step": CELL_PX}
    return {
        "$schema": SCHEMA,
        "background": "transparent",
        "width": size,
        "height": size,
        "data": {"values": values},
        "encoding": {
            "y": {"field": "row", "type": "nominal", "sort": order, "axis": axis},
            "x": {
                "field": "column",
                "type": "nominal",
                "sort": order,
                "axis": axis | {"orient": "top", "labelAngle": -38},
            },
        },
        "layer": [
            {
                "mark": {
                    "type": "rect",
                    "cornerRadius": 5,
                    "stroke": palette.paper,
                    "strokeWidth": 3,
                },
                "encoding": {
                    "color": {
                        "field": "share",
                        "type": "quantitative",
                        "legend": None,
                        "scale": {
                            "domain": [0, 0.5, 1],
                            "range": [palette.cold, palette.quiet, palette.accent],
                            "clamp": True,
                        },
                    },
                    "tooltip": [
                        {"field": "row", "title": "Row"},
                        {"field": "column", "title": "Column"},
                        {"field": "share", "title": "Win rate", "format": ".0%"},
                        {"field": "votes", "title": "Votes"},
                        {"field": "record", "title": "Results"},
                    ],
                },
            },
            {
                "mark": {"type": "text", "fontSize": 14, "fontWeight": 600},
                "encoding": {
                    "text": {"field": "share", "type": "quantitative", "format": ".0%"},
                    "color": {
                        "condition": {"test": is_dark, "value": palette.paper},
                        "value": palette.ink,
                    },
                },
            },
        ],
        "config": {"view": {"stroke": None}},
    }
