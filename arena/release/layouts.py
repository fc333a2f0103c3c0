"""Votes as the files of other published sets, for programs that were written for those.

| layout | the set | file |
| --- | --- | --- |
| `lmsys-33k` | `lmsys/chatbot_arena_conversations` | `data/train-00000-of-00001.parquet` |
| `kaggle-55k` | `lmarena-ai/arena-human-preference-55k`, of a Kaggle competition | `train.csv` |
| `genai-bench` | `TIGER-Lab/GenAI-Bench`, `video_generation` | \
`video_generation/test-00000-of-00001.parquet` |
| `rapidata` | `Rapidata/text-2-video-human-preferences` | `data/train-00000-of-00001.parquet` |

They have no columns for votes that do not count, for repeats or for simulated voters, so only
people's counted votes are written. A clip is named by the path that it has, or will have, in
`media/` of a release, or by its reference while its hash is not public.
"""

import csv
import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from arena.errors import ReleaseError

Row = dict[str, Any]

ENGLISH = {"en": "English"}  # as the 33k set names languages
MODERATION = (
    *("harassment", "harassment/threatening", "hate", "hate/threatening", "self-harm"),
    *("self-harm/instructions", "self-harm/intent", "sexual", "sexual/minors", "violence"),
    "violence/graphic",
)
AXES = ("Preference", "Coherence", "Alignment")
TIES = ("tie", "both_bad")


class Layout(StrEnum):
    """The published sets whose files can be written."""

    LMSYS_33K = "lmsys-33k"
    KAGGLE_55K = "kaggle-55k"
    GENAI_BENCH = "genai-bench"
    RAPIDATA = "rapidata"


@dataclass(frozen=True)
class Sources:
    """What the rows of a layout are made of.

    Attributes:
        votes: rows of `votes.*` that count, of one track.
        prompts: the text of each prompt by its id; None: it is private.
    """

    votes: Sequence[Row]
    prompts: Mapping[str, str | None]

    def prompt(self, vote: Row) -> str:
        """The text of a vote's prompt; empty if it is private."""
        return self.prompts[vote["prompt_id"]] or ""


def make_sources(tables: Mapping[str, Any]) -> Sources:
    """Select the votes that a layout has.

    Args:
        tables: the Arrow tables of a release.

    Raises:
        ReleaseError: votes are of several tracks, which no layout can tell apart.
    """
    rows = [
        row for row in tables["votes"].to_pylist() if row["counted"] and row["repeat_of"] is None
    ]
    tracks = sorted({row["track"] for row in rows})
    if len(tracks) > 1:
        raise ReleaseError(
            f"These files have no column for tracks, and votes are of {', '.join(tracks)}: choose "
            "one with --track."
        )
    prompts = {row["id"]: row["text"] for row in tables["prompts"].to_pylist()}
    return Sources(rows, prompts)


def write_layout(layout: Layout, sources: Sources, folder: Path) -> Path:
    """Write the votes into a folder as the files of a published set, and return the file."""
    name, write = _WRITERS[layout]
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    write(sources, path)
    return path


def _clip(name: str) -> str:
    return f"media/{name}.mp4"


# --- lmsys-33k ------------------------------------------------------------------------------------

_MESSAGES = pa.list_(pa.struct([("content", pa.string()), ("role", pa.string())]))
_FLAGS = pa.struct([("flagged", pa.bool_()), ("probability", pa.float64())])
LMSYS_SCHEMA = pa.schema(
    [
        ("question_id", pa.string()),
        ("model_a", pa.string()),
        ("model_b", pa.string()),
        ("winner", pa.string()),
        ("judge", pa.string()),
        ("conversation_a", _MESSAGES),
        ("conversation_b", _MESSAGES),
        ("turn", pa.int64()),
        ("anony", pa.bool_()),
        ("language", pa.string()),
        ("tstamp", pa.float64()),
        (
            "openai_moderation",
            pa.struct(
                [
                    ("categories", pa.struct([(name, pa.bool_()) for name in MODERATION])),
                    ("category_scores", pa.struct([(name, pa.float64()) for name in MODERATION])),
                    ("flagged", pa.bool_()),
                ]
            ),
        ),
        (
            "toxic_chat_tag",
            pa.struct(
                [
                    ("roberta-large", _FLAGS),
                    ("t5-large", _FLAGS),
                ]
            ),
        ),
    ]
)


def _write_lmsys(sources: Sources, path: Path) -> None:
    judges: dict[str, str] = {}
    rows = []
    for vote in sources.votes:
        voter = vote["evaluation_session_id"]
        judge = judges.setdefault(voter, f"arena_user_{len(judges) + 1}")
        rows.append(
            {
                "question_id": vote["id"],
                "model_a": vote["model_a"],
                "model_b": vote["model_b"],
                "winner": "tie (bothbad)" if vote["winner"] == "both_bad" else vote["winner"],
                "judge": judge,
                **{
                    f"conversation_{side}": [
                        {"content": sources.prompt(vote), "role": "user"},
                        {"content": _clip(vote[f"clip_{side}"]), "role": "assistant"},
                    ]
                    for side in ("a", "b")
                },
                "turn": 1,
                "anony": True,
                "language": ENGLISH.get(vote["language"], vote["language"]),
                "tstamp": datetime.fromisoformat(vote["timestamp"]).timestamp(),
                "openai_moderation": None,
                "toxic_chat_tag": None,
            }
        )
    pq.write_table(pa.Table.from_pylist(rows, schema=LMSYS_SCHEMA), path)


# --- kaggle-55k -----------------------------------------------------------------------------------

KAGGLE_COLUMNS = (
    *("id", "model_a", "model_b", "prompt", "response_a", "response_b"),
    *("winner_model_a", "winner_model_b", "winner_tie"),
)


def _write_kaggle(sources: Sources, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(KAGGLE_COLUMNS)
        for vote in sources.votes:
            winner = vote["winner"]
            writer.writerow(
                [
                    *(vote["id"], vote["model_a"], vote["model_b"]),
                    _json([sources.prompt(vote)]),
                    *(_json([_clip(vote[f"clip_{side}"])]) for side in ("a", "b")),
                    *(int(winner == "model_a"), int(winner == "model_b"), int(winner in TIES)),
                ]
            )


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


# --- genai-bench ----------------------------------------------------------------------------------

GENAI_SCHEMA = pa.schema(
    [
        (name, pa.string())
        for name in (
            *("prompt", "left_model", "left_video", "right_model", "right_video", "vote_type"),
        )
    ]
)
VOTE_TYPES = {
    "model_a": "leftvote",
    "model_b": "rightvote",
    "tie": "tievote",
    "both_bad": "bothbad_vote",
}


def _write_genai_bench(sources: Sources, path: Path) -> None:
    rows = [
        {
            "prompt": sources.prompt(vote),
            "left_model": vote["model_a"],
            "left_video": _clip(vote["clip_a"]),
            "right_model": vote["model_b"],
            "right_video": _clip(vote["clip_b"]),
            "vote_type": VOTE_TYPES[vote["winner"]],
        }
        for vote in sources.votes
    ]
    pq.write_table(pa.Table.from_pylist(rows, schema=GENAI_SCHEMA), path)


# --- rapidata -------------------------------------------------------------------------------------

_ANSWERS = pa.list_(pa.struct([("votedFor", pa.string()), ("userScores", pa.float64())]))
RAPIDATA_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("prompt", "video1", "video2")),
        *((f"weighted_results{number}_{axis}", pa.float64()) for axis in AXES for number in (1, 2)),
        *((f"detailedResults_{axis}", _ANSWERS) for axis in AXES),
        *((name, pa.string()) for name in ("file_name1", "file_name2", "model1", "model2")),
    ]
)


def _write_rapidata(sources: Sources, path: Path) -> None:
    """One row for each two clips; a tie counts half for each, and names both in the details."""
    battles: defaultdict[tuple[str, ...], list[Row]] = defaultdict(list)
    for vote in sources.votes:
        clips = sorted((vote["clip_a"], vote["clip_b"]))
        battles[vote["prompt_id"], *clips].append(vote)
    rows = []
    for (_, first, second), votes in battles.items():
        sides = [{vote["clip_a"]: "model_a", vote["clip_b"]: "model_b"} for vote in votes]
        models = [votes[0][sides[0][clip]] for clip in (first, second)]
        files = [f"{clip}.mp4" for clip in (first, second)]
        shares = [
            sum(
                0.5 if vote["winner"] in TIES else float(vote["winner"] == side[clip])
                for vote, side in zip(votes, sides, strict=True)
            )
            / len(votes)
            for clip in (first, second)
        ]
        answers = [
            {
                "votedFor": next(
                    (
                        file
                        for file, clip in zip(files, (first, second), strict=True)
                        if vote["winner"] == side[clip]
                    ),
                    None,
                ),
                "userScores": 1.0,
            }
            for vote, side in zip(votes, sides, strict=True)
        ]
        rows.append(
            {
                "prompt": sources.prompt(votes[0]),
                "video1": f"media/{files[0]}",
                "video2": f"media/{files[1]}",
                "weighted_results1_Preference": shares[0],
                "weighted_results2_Preference": shares[1],
                "detailedResults_Preference": answers,
                "file_name1": files[0],
                "file_name2": files[1],
                "model1": models[0],
                "model2": models[1],
            }
        )
    pq.write_table(pa.Table.from_pylist(rows, schema=RAPIDATA_SCHEMA), path)


_WRITERS: dict[Layout, tuple[str, Callable[[Sources, Path], None]]] = {
    Layout.LMSYS_33K: ("data/train-00000-of-00001.parquet", _write_lmsys),
    Layout.KAGGLE_55K: ("train.csv", _write_kaggle),
    Layout.GENAI_BENCH: ("video_generation/test-00000-of-00001.parquet", _write_genai_bench),
    Layout.RAPIDATA: ("data/train-00000-of-00001.parquet", _write_rapidata),
}
