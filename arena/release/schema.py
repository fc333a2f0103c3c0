"""The data dictionary: which tables a release has, and what each column means."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pyarrow as pa

from arena.standings.boards import COLUMN_DESCRIPTIONS, COLUMN_TYPES


class ColumnType(StrEnum):
    """What is in a column's cells. Any cell may be empty; a text is never an empty one."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "true or false"


ARROW_TYPES: dict[ColumnType, Any] = {
    ColumnType.TEXT: pa.string(),
    ColumnType.INTEGER: pa.int64(),
    ColumnType.NUMBER: pa.float64(),
    ColumnType.BOOLEAN: pa.bool_(),
}


@dataclass(frozen=True)
class Column:
    name: str
    type: ColumnType
    description: str


@dataclass(frozen=True)
class TableSchema:
    """One table of a release: its file's stem, what it holds, its columns in order."""

    name: str
    description: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    @property
    def arrow_schema(self) -> Any:
        return pa.schema([(column.name, ARROW_TYPES[column.type]) for column in self.columns])


def _texts(**meanings: str) -> tuple[Column, ...]:
    return tuple(Column(name, ColumnType.TEXT, meaning) for name, meaning in meanings.items())


def _integers(**meanings: str) -> tuple[Column, ...]:
    return tuple(Column(name, ColumnType.INTEGER, meaning) for name, meaning in meanings.items())


def _numbers(**meanings: str) -> tuple[Column, ...]:
    return tuple(Column(name, ColumnType.NUMBER, meaning) for name, meaning in meanings.items())


def _truths(**meanings: str) -> tuple[Column, ...]:
    return tuple(Column(name, ColumnType.BOOLEAN, meaning) for name, meaning in meanings.items())


def _board_columns(*names: str) -> tuple[Column, ...]:
    """Columns of a leaderboard, as `BoardRow` declares them."""
    types = {int: ColumnType.INTEGER, float: ColumnType.NUMBER, str: ColumnType.TEXT}
    return tuple(
        Column(name, types[COLUMN_TYPES[name]], COLUMN_DESCRIPTIONS[name]) for name in names
    )


_VOTE_COLUMNS = (
    *_texts(
        id="the vote; the number that its receipt shows, the same in every release",
        model_a="name of the model on the left, or its codename",
        model_b="name of the model on the right, or its codename",
        winner="`model_a`, `model_b`, `tie` or `both_bad`",
        evaluation_session_id="the voter's pseudonym, another in every release",
    ),
    *_integers(
        evaluation_order="this was the voter's n-th answer in this release; skips count as answers",
    ),
    *_texts(
        language="language of the page, ISO 639-1",
        timestamp="when the vote was stored, ISO 8601, UTC",
        battle_id="the battle that the vote answers",
        track="name in `tracks.*`",
        prompt_id="id in `prompts.*`",
        categories="the prompt's, joined by `;`",
        clip_a="SHA-256 of the file shown on the left; empty for a held-out prompt",
        clip_b="SHA-256 of the file shown on the right; empty for a held-out prompt",
    ),
    *_numbers(probability="with which the sampler drew this pair of models, above 0, up to 1"),
    *_texts(sampler="the published rule that drew the pair"),
    *_integers(
        watched_a_ms="milliseconds watched on the left; empty: could not be checked",
        watched_b_ms="milliseconds watched on the right; empty: could not be checked",
        heard_a_ms="milliseconds heard on the left; empty: could not be checked",
        heard_b_ms="milliseconds heard on the right; empty: could not be checked",
    ),
    *_texts(first="the side that was played first, `a` or `b`; empty: not told"),
    *_integers(decided_ms="milliseconds from the battle's opening to the vote, server's clock"),
    *_texts(
        reasons="what the voter gave as reasons, joined by `;`",
        voter_kind="`person` or `simulated`",
    ),
    *_truths(counted="whether the leaderboard counts it"),
    *_texts(
        hold_rule="the rule that holds it, where it does not count",
        repeat_of="battle_id of the battle that this one repeats on purpose: not rated",
    ),
)

VOTES = TableSchema(
    "votes", "One row for each vote of a person, in the order of votes.", _VOTE_COLUMNS
)
SIMULATED = TableSchema(
    "simulated",
    "Votes of simulated voters, who judge by measured quality. Never mixed with people's.",
    _VOTE_COLUMNS,
)
SKIPS = TableSchema(
    "skips",
    "Battles that a voter passed over: never rated, so without a winner.",
    tuple(
        column
        for column in _VOTE_COLUMNS
        if column.name not in {"winner", "counted", "hold_rule", "repeat_of"}
    ),
)
HOLDS = TableSchema(
    "holds",
    "Why votes do not count: one row for each event. Empty as long as nothing is held.",
    _texts(
        vote_id="id in `votes.*`",
        rule="the rule that held the vote",
        version="the rule's version",
        reason="why, in words",
        held_at="ISO 8601, UTC",
    ),
)
TRACKS = TableSchema(
    "tracks",
    "The terms that all clips and votes of a track share; they never change.",
    (
        *_texts(track="name", modality="`text-to-video`, `image-to-video` or `video-edit`"),
        *_truths(audio="whether clips have sound"),
        *_integers(
            width="pixels",
            height="pixels",
            fps="frames a second",
            frames="frames of every clip",
            video_kbps="kilobits a second of the picture",
            bytes="size of every file that voters get",
            min_watch_ms="milliseconds before a vote is taken",
            seeds="clips of each model and prompt",
        ),
        *_texts(
            reveal="when voters see names: `after-vote` or `at-close`",
            sampler="rule that draws pairs",
            ties="how ratings count a tie: `half`, `davidson` or `drop`",
            created_at="ISO 8601, UTC",
            closed_at="ISO 8601, UTC; empty: open",
        ),
    ),
)
MODELS = TableSchema(
    "models",
    "Who competes, retired models too. Under a codename, what tells its maker is empty.",
    (
        *_texts(
            model="name, or codename until the maker's claim",
            creator="its maker; empty under a codename",
            licence="of the model",
            release_date="ISO 8601",
            commitment="SHA-256 that commits to what a codename hides",
            id="the entrant's number: leaderboards are computed in the order of these",
            tracks="where it competes, joined by `;`",
        ),
        *_numbers(price_usd_per_minute="of generated video; empty: not told"),
        *_truths(stealth="whether the name is a codename"),
        *_texts(
            created_at="when it was entered, ISO 8601, UTC",
            retired_at="ISO 8601, UTC; empty: active",
        ),
    ),
)
PROMPTS = TableSchema(
    "prompts",
    "What the models were asked.",
    (
        *_texts(
            id="the prompt",
            text="as it was asked; empty while held out",
            categories="joined by `;`",
            tracks="where it is asked, joined by `;`",
            source="file name of the first image or source video, where there is one",
        ),
        *_truths(private="held out: its battles never reveal names, its text and clips stay here"),
        *_texts(retired_at="ISO 8601, UTC; empty: active"),
    ),
)
CLIPS = TableSchema(
    "clips",
    "What the models made: provenance and measures of each clip. The files are in `media/` only "
    "where the release was made with them.",
    (
        *_texts(model="name in `models.*`", track="name in `tracks.*`", prompt_id="in `prompts.*`"),
        *_integers(seed="of the generation"),
        *_texts(
            sha256="of the file that voters get; empty for a held-out prompt",
            master_sha256="of the file as generated; empty under a codename or held out",
            created_at="ISO 8601, UTC",
            provenance="JSON: how it was made; empty under a codename or held out",
            measures="JSON: measured qualities, each from 0 to 1",
        ),
    ),
)
LEADERBOARD = TableSchema(
    "leaderboard",
    "The last leaderboard of each day, track, category and group of voters: one row per model.",
    (
        *_texts(
            model_name="name in `models.*`",
            organization="the model's creator; empty under a codename",
            license="the model's licence",
        ),
        *_board_columns("rating", "rating_lower", "rating_upper", "variance", "vote_count", "rank"),
        *_texts(
            category="of the prompts, or `overall`",
            leaderboard_publish_date="the day, ISO 8601, UTC",
            track="name in `tracks.*`",
            voters="`people` or `simulated`",
        ),
        *_board_columns("rank_lower", "rank_upper", "wins", "losses", "ties", "both_bad"),
        *_board_columns("win_rate", "status"),
        *_integers(watermark="computed from the votes up to this id"),
        *_texts(computed_at="ISO 8601, UTC"),
    ),
)

TABLES = (VOTES, SIMULATED, SKIPS, HOLDS, MODELS, PROMPTS, CLIPS, TRACKS, LEADERBOARD)
