"""The status words of OpenAI's videos, and those that other servers use for the same stages."""

import re
from enum import Enum


class Stage(Enum):
    """What a status means for the one who waits."""

    PENDING = "pending"
    COMPLETED = "completed"
    FAILED = "failed"
    UNKNOWN = "unknown"  # waited for like a pending one, until the deadline


_WORDS = {
    Stage.PENDING: (
        "queued queueing queue in_queue in_progress pending processing running submitted created "
        "accepted waiting starting started preparing prepared scheduled generating rendering "
        "uploading encoding throttled not_started initialized initializing dispatched ongoing"
    ),
    Stage.COMPLETED: (
        "completed complete succeeded succeed success successful finished finish done ready ok "
        "generated"
    ),
    Stage.FAILED: (
        "failed failure fail error errored cancelled canceled expired rejected refused aborted "
        "timeout timed_out time_out deleted moderated content_moderated blocked request_moderated "
        "terminated"
    ),
}
_STAGES = {word: stage for stage, words in _WORDS.items() for word in words.split()}
_PERCENT = re.compile(r"\s*([0-9]{1,3}(?:\.[0-9]{1,9})?)\s*%?\s*")


def stage_of(status: str | None) -> Stage:
    """The stage of a status word in any case and spelling; a missing one is unknown."""
    word = re.sub(r"[^a-z0-9]+", "_", (status or "").casefold()).strip("_")
    return _STAGES.get(word, Stage.UNKNOWN)


def progress_of(value: object) -> float | None:
    """Progress from 0 to 1 of a percentage such as 50, "50" or "50%"; None for anything else."""
    if isinstance(value, str) and (match := _PERCENT.fullmatch(value)):
        value = float(match[1])
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if value != value:  # NaN
        return None
    return min(100, max(0, value)) / 100
