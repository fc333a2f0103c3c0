"""The data dictionary: the tables of a release and the meaning of their columns."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pyarrow as pa

from arena.holds.rules import RULES
from arena.models import HoldRule
from arena.standings.boards import COLUMN_DESCRIPTIONS, COLUMN_TYPES
from ratings import TIE_RULES

TIE_NAMES = f"{', '.join(f'`{rule}`' for rule in TIE_RULES[:-1])} or `{TIE_RULES[-1]}`"


class ColumnType(StrEnum):
    """The type of a column's cells. Any cell may be null; a text is never empty."""

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
    """A column: its published name, its type, and what it means."""

    name: str
    type: ColumnType
    description: str


@dataclass(frozen=True)
class TableSchema:
    """A table of a release: the stem of its files, a description, and its columns in order."""

    name: str
    description: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    @property
    def arrow_schema(self) -> Any:
        return pa.schema([(column.name, ARROW_TYPES[column.type]) for column in self.columns])


def _texts(**descriptions: str) -> tuple[Column, ...]:
    return tuple(Column(name, ColumnType.TEXT, text) for name, text in descriptions.items())


def _integers(**descriptions: str) -> tuple[Column, ...]:
    return tuple(Column(name, ColumnType.INTEGER, text) for name, text in descriptions.items())


def _numbers(**descriptions: str) -> tuple[Column, ...]:
    return tuple(Column(name, ColumnType.NUMBER, text) for name, text in descriptions.items())


def _truths(**descriptions: str) -> tuple[Column, ...]:
    return tuple(Column(name, ColumnType.BOOLEAN, text) for name, text in descriptions.items())


def _board_columns(*names: str) -> tuple[Column, ...]:
    """Columns of a leaderboard, as `BoardRow` declares them."""
    types = {int: ColumnType.INTEGER, float: ColumnType.NUMBER, str: ColumnType.TEXT}
    return tuple(
        Column(name, types[COLUMN_TYPES[name]], COLUMN_DESCRIPTIONS[name]) for name in names
    )


# Votes on honey pairs are in a table of their own.
_RULES = tuple(rule for rule in RULES if rule is not HoldRule.HONEY_PAIR)
_VOTE_COLUMNS = (
    *_texts(
        id="the vote: the number shown by its receipt, the same in every release",
        model_a="name of the model on the left, or its codename",
        model_b="name of the model on the right, or its codename",
        winner="`model_a`, `model_b`, `tie` or `both_bad`",
        evaluation_session_id="the voter's pseudonym, different in every release",
    ),
    *_integers(
        evaluation_order="position among the voter's answers in this release, skips included",
    ),
    *_texts(
        language="language of the page, ISO 639-1",
        timestamp="when the vote was stored, ISO 8601, UTC",
        battle_id="the battle that the vote answers",
        track="name in `tracks.*`",
        prompt_id="id in `prompts.*`",
        categories="those of the prompt, joined by `;`",
        clip_a="the file shown on the left: its SHA-256 where `clips.*` has that, else its "
        "`reference` there",
        clip_b="the same of the file shown on the right",
    ),
    *_numbers(probability="of this pair of models under the sampler, above 0 and at most 1"),
    *_texts(sampler="the published rule that drew the pair"),
    *_integers(
        watched_a_ms="milliseconds watched on the left, as reported and at most what the server's "
        "clock allows; empty: could not be checked",
        watched_b_ms="the same on the right",
        heard_a_ms="milliseconds heard on the left, at most what the server's clock allows; empty: "
        "could not be checked",
        heard_b_ms="the same on the right",
    ),
    *_texts(first="the side that was played first, `a` or `b`; empty: unknown"),
    *_integers(
        decided_ms="milliseconds from opening the battle to the vote, by the server's clock"
    ),
    *_texts(
        reasons="the reasons that the voter chose, joined by `;`",
        voter_kind="`person` or `simulated`",
    ),
    *_truths(counted="whether leaderboards count the vote"),
    *_texts(
        hold_rule="the rule because of which the vote does not count: "
        f"{', '.join(f'`{rule}` ({RULES[rule].short})' for rule in _RULES)}; empty: counted",
        repeat_of="battle_id of the battle that this one repeats deliberately; not rated",
    ),
)

VOTES = TableSchema(
    "votes",
    "Votes by people: one row per vote, in the order in which they were cast.",
    _VOTE_COLUMNS,
)
SIMULATED = TableSchema(
    "simulated",
    "Votes by simulated voters, who judge by measured quality. Never mixed with people's votes.",
    _VOTE_COLUMNS,
)
SKIPS = TableSchema(
    "skips",
    "Battles that a voter skipped: never rated, and without a winner.",
    tuple(
        column
        for column in _VOTE_COLUMNS
        if column.name not in {"winner", "counted", "hold_rule", "repeat_of"}
    ),
)
TRAPS = TableSchema(
    "traps",
    "Answers to honey pairs, skips included: a clip beside its own damaged copy, to find who votes "
    "without looking. Never rated, and in no other table.",
    (
        *(
            column
            for column in _VOTE_COLUMNS
            if column.name not in {"winner", "counted", "hold_rule", "repeat_of"}
        ),
        *_texts(
            damaged="the side of the damaged copy, `a` or `b`",
            choice="`a`, `b`, `tie`, `bad` or `skip`",
        ),
        *_truths(
            passed="whether the undamaged side was preferred; empty: skipped, or both bad, which "
            "does not say"
        ),
    ),
)
HOLDS = TableSchema(
    "holds",
    "Which votes do not count, and why: one row per event, in order; the last event of a vote "
    "decides. Votes that were cast without hearing both sides have none.",
    (
        *_integers(number="of the event; those of other tracks are left out"),
        *_texts(
            vote_id="id in `votes.*` or `simulated.*`",
            kind="`hold`, `release` (it counts again) or `count` (it counts, and rules leave its "
            "voter alone)",
            rule="the rule that decided, as in `hold_rule`",
        ),
        *_integers(version="the rule's version"),
        *_texts(
            reason="an explanation, in one sentence",
            author="`arena` for the rules, or the person who decided",
            at="ISO 8601, UTC",
        ),
    ),
)
UNANSWERED = TableSchema(
    "unanswered",
    "Battles that were shown and that nobody answered before they expired: never rated. Those of "
    "browsers that never voted are deleted after some time. Their share shows whether somebody "
    "asks for many battles and answers those with one model only.",
    (
        *_texts(
            battle_id="the battle",
            model_a="name of the model on the left, or its codename",
            model_b="name of the model on the right, or its codename",
            evaluation_session_id="the voter's pseudonym, as in `votes.*`",
            track="name in `tracks.*`",
            prompt_id="id in `prompts.*`",
            categories="those of the prompt, joined by `;`",
        ),
        *_numbers(probability="of this pair of models under the sampler"),
        *_texts(
            sampler="the published rule that drew the pair",
            opened_at="when it was shown, ISO 8601, UTC",
            ended="`expired`, or `broken`: its voter reported that a file does not play",
            voter_kind="`person` or `simulated`",
        ),
    ),
)
TRACKS = TableSchema(
    "tracks",
    "The settings shared by all clips and votes of a track; they never change.",
    (
        *_texts(track="name", modality="`text-to-video`, `image-to-video` or `video-edit`"),
        *_truths(audio="whether clips have sound"),
        *_integers(
            width="pixels",
            height="pixels",
            fps="frames per second",
            frames="frames per clip",
            video_kbps="video bit rate in kilobits per second",
            bytes="size of every file shown to voters",
            min_watch_ms="milliseconds until a vote is accepted",
            seeds="clips per model and prompt",
        ),
        *_texts(
            reveal="when voters see names: `after-vote` or `at-close`",
            sampler="the rule that draws pairs",
            ties=f"how ratings treat a tie: {TIE_NAMES}",
            prompt_rewriting="whether services may rewrite prompts: `maker-default` or `off`",
            created_at="ISO 8601, UTC",
            closed_at="ISO 8601, UTC; empty: open",
        ),
    ),
)
MODELS = TableSchema(
    "models",
    "The competing models, retired ones included. Under a codename, what identifies it is empty.",
    (
        *_texts(
            model="name, or codename until it is claimed",
            creator="who made the model; empty under a codename",
            licence="the model's licence; empty under a codename",
            release_date="ISO 8601; empty under a codename",
            commitment="SHA-256 that commits to what the codename hides",
            id="the entrant's number",
            tracks="where it competes, joined by `;`",
        ),
        *_numbers(price_usd_per_minute="of generated video; empty: unknown"),
        *_truths(stealth="whether the name is a codename"),
        *_texts(
            codename="under which it entered; empty: none",
            claimed_at="when its maker claimed it, ISO 8601, UTC; empty: not claimed",
        ),
        *_integers(
            maker_variants="number of models by its maker, itself included; of a codename, the "
            "maker's other codenames alone",
            maker_retired_unranked="of these, the models that were retired before they had 100 "
            "votes by people",
        ),
        *_texts(
            created_at="when it was added, ISO 8601, UTC",
            retired_at="ISO 8601, UTC; empty: active",
        ),
    ),
)
PROMPTS = TableSchema(
    "prompts",
    "The prompts of the clips.",
    (
        *_texts(
            id="the prompt",
            text="the text; empty if private",
            categories="joined by `;`",
            tracks="where it is asked, joined by `;`",
            source="file name of the first image or source video, if any",
        ),
        *_truths(private="text and clips are not published; always held out as well"),
        *_truths(
            held_out="battles never reveal names, and ratings on these prompts are compared with "
            "those on the others"
        ),
        *_texts(retired_at="ISO 8601, UTC; empty: active"),
    ),
)
CLIPS = TableSchema(
    "clips",
    "The clips: provenance and measures; also the damaged copies that `traps.*` names. The files "
    "are in `media/` if the release was exported with them.",
    (
        *_texts(
            model="name in `models.*`",
            track="name in `tracks.*`",
            prompt_id="in `prompts.*`",
            damage="how a copy for honey pairs was damaged: `blocks`, `blur` or `noise`; empty: "
            "not a copy",
        ),
        *_integers(
            number="which of the track's seeds, from 0 on",
            seed="of the generation; empty until the track is closed, and of a private prompt",
        ),
        *_texts(
            sha256="of the file shown to voters; empty until the track is closed, under a codename "
            "and of a private prompt",
            salt="in hexadecimal; empty where `sha256` is",
            reference="the clip in seals: HMAC-SHA-256 of `sha256` under `salt`",
            master_sha256="of the file as generated; empty where `sha256` is",
            created_at="ISO 8601, UTC",
            provenance="JSON: how it was generated; empty under a codename and of a private "
            "prompt, and without seed, hash of the frames and the service's report until the track "
            "is closed",
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
            license="the model's licence; empty under a codename",
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
        *_texts(
            intervals="`sandwich, by voter`, or `sandwich, by vote` if all votes used, those "
            "between rated models, are of one voter or an earlier version computed the leaderboard"
        ),
        *_numbers(
            rating_without_holds="the rating if the votes counted that events of `holds.*` hold; "
            "empty: none is held, or an earlier version computed the leaderboard",
        ),
        *_integers(
            rank_lower_without_holds="the same for rank_lower",
            rank_upper_without_holds="the same for rank_upper",
            watermark="computed from the votes up to this id",
            hold_events="computed with the events of `holds.*` up to this number",
        ),
        *_texts(computed_at="ISO 8601, UTC"),
    ),
)

TABLES = (
    *(VOTES, SIMULATED, SKIPS, TRAPS, UNANSWERED, HOLDS),
    *(MODELS, PROMPTS, CLIPS, TRACKS, LEADERBOARD),
)
# Each vote, skip and honey pair is in one of these; seals cover them all.
ANSWERS = (VOTES.name, SIMULATED.name, SKIPS.name, TRAPS.name)
