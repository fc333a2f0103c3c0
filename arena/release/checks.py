"""Checks that the answers of a release are consistent with each other and with other tables."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from arena.errors import ReleaseError
from arena.models import HONEY, OVERALL, Choice, VoterKind
from arena.release.collect import JOIN
from arena.release.schema import ANSWERS, SIMULATED, TRAPS, VOTES
from arena.standings.rated_votes import WINNERS

KIND_OF = {VOTES.name: VoterKind.PERSON, SIMULATED.name: VoterKind.SIMULATED}

Row = dict[str, Any]


class Answer(NamedTuple):
    """One row of `votes`, `simulated`, `skips` or `traps`."""

    table: str
    number: int  # of the row, from 1
    row: Row

    def error(self, reason: str) -> ReleaseError:
        """Return the error that names this answer."""
        return ReleaseError(f"{self.table}.*, row {self.number} (vote {self.row['id']}): {reason}.")


def check_answers(tables: Mapping[str, list[Row]]) -> None:
    """Raise ReleaseError at the first answer that is inconsistent.

    Args:
        tables: rows of all tables of a release.
    """
    answers = {name: _answers(tables, name) for name in ANSWERS}
    everyone = [answer for part in answers.values() for answer in part]
    for part in answers.values():
        _check_order(part)
    _check_references(everyone, tables)
    _check_traps(answers[TRAPS.name], tables)
    for name, kind in KIND_OF.items():
        _check_votes(answers[name], kind)
    _check_once(everyone)
    _check_numbering(everyone)
    _check_watermarks([*answers[VOTES.name], *answers[SIMULATED.name]], tables)


def _answers(tables: Mapping[str, list[Row]], name: str) -> list[Answer]:
    return [Answer(name, number, row) for number, row in enumerate(tables[name], start=1)]


def _check_order(answers: list[Answer]) -> None:
    before = 0
    for answer in answers:
        vote_id = answer.row["id"]
        if vote_id is None or not vote_id.isdecimal():
            raise answer.error("the id is not a number")
        if int(vote_id) <= before:
            raise answer.error(f"it follows vote {before}, so a row was moved or repeated")
        before = int(vote_id)


def _check_references(answers: list[Answer], tables: Mapping[str, list[Row]]) -> None:
    models = {row["model"] for row in tables["models"]}
    tracks = {row["track"] for row in tables["tracks"]}
    prompts = {row["id"]: row["categories"] for row in tables["prompts"]}
    clips = {
        (row["model"], row["track"], row["prompt_id"], row["sha256"] or row["reference"])
        for row in tables["clips"]
    }
    known = {(track, *prompt) for track in tracks for prompt in prompts.items()}
    for answer in answers:
        row = answer.row
        a, b, track, prompt = row["model_a"], row["model_b"], row["track"], row["prompt_id"]
        if (
            (track, prompt, row["categories"]) in known
            and (a, track, prompt, row["clip_a"]) in clips
            and (b, track, prompt, row["clip_b"]) in clips
            and a != b
            and a in models
            and b in models
        ):
            continue
        # Which of these it is, of the few answers that are wrong.
        if row["track"] not in tracks:
            raise answer.error(f"tracks.* has no track {row['track']!r}")
        if row["prompt_id"] not in prompts:
            raise answer.error(f"prompts.* has no prompt {row['prompt_id']!r}")
        if row["categories"] != prompts[row["prompt_id"]]:
            raise answer.error("its categories differ from those of its prompt in prompts.*")
        for side in ("a", "b"):
            model = row[f"model_{side}"]
            if model not in models:
                raise answer.error(f"models.* has no model {model!r}")
            if (model, row["track"], row["prompt_id"], row[f"clip_{side}"]) not in clips:
                raise answer.error(f"clips.* has no such clip_{side} of this model and prompt")
        if answer.table != TRAPS.name and row["model_a"] == row["model_b"]:
            raise answer.error("both sides have the same model")


def _check_traps(answers: list[Answer], tables: Mapping[str, list[Row]]) -> None:
    """Check that each honey pair is a clip and its damaged copy, and what is said of the answer."""
    clips = {
        (row["model"], row["track"], row["prompt_id"], row["sha256"] or row["reference"]): row
        for row in tables["clips"]
    }
    for answer in answers:
        row = answer.row
        a, b = (
            clips[row[f"model_{side}"], row["track"], row["prompt_id"], row[f"clip_{side}"]]
            for side in ("a", "b")
        )
        if a["model"] != b["model"] or a["number"] != b["number"]:
            raise answer.error("its clips are not a clip and its copy")
        if (a["damage"] is None) == (b["damage"] is None):
            raise answer.error("not exactly one of its clips is a damaged copy")
        damaged, clean = ("a", "b") if b["damage"] is None else ("b", "a")
        if row["damaged"] != damaged:
            raise answer.error(
                f"damaged is {row['damaged']!r}, but the copy is on side {damaged!r}"
            )
        if row["sampler"] != HONEY:
            raise answer.error(f"sampler is {row['sampler']!r}, not {HONEY!r}")
        if row["choice"] not in list(Choice):
            raise answer.error(f"choice is {row['choice']!r}")
        says_nothing = row["choice"] in (Choice.SKIP, Choice.BAD)
        passed = None if says_nothing else row["choice"] == clean
        if row["passed"] is not passed:
            raise answer.error(f"passed is {row['passed']!r}, but the choice gives {passed!r}")


def _check_votes(answers: list[Answer], kind: VoterKind) -> None:
    winners = set(WINNERS.values())
    for answer in answers:
        if answer.row["winner"] not in winners:
            raise answer.error(f"winner is {answer.row['winner']!r}")
        if answer.row["voter_kind"] != kind:
            raise answer.error(f"voter_kind is {answer.row['voter_kind']!r}, not '{kind}'")
        if answer.row["counted"] is None:
            raise answer.error("counted is empty")
        if answer.row["counted"] and answer.row["hold_rule"] is not None:
            raise answer.error(f"it is counted, but hold_rule is {answer.row['hold_rule']!r}")


def _check_once(answers: list[Answer]) -> None:
    for column, noun in (("id", "vote"), ("battle_id", "battle")):
        if len({answer.row[column] for answer in answers}) == len(answers):
            continue
        seen: dict[str, Answer] = {}
        for answer in answers:
            other = seen.setdefault(answer.row[column], answer)
            if other is not answer:
                raise answer.error(f"its {noun} is also in {other.table}.*, row {other.number}")


def _check_numbering(answers: list[Answer]) -> None:
    """Check that each voter's answers are numbered 1, 2, 3, …: a gap shows a removed answer."""
    last: dict[str, int] = defaultdict(int)
    for answer in sorted(answers, key=lambda answer: int(answer.row["id"])):
        voter, number = answer.row["evaluation_session_id"], answer.row["evaluation_order"]
        if number != last[voter] + 1:
            raise answer.error(
                f"it is this voter's answer {number}, but the previous one was {last[voter]}"
            )
        last[voter] = number


def _check_watermarks(votes: list[Answer], tables: Mapping[str, list[Row]]) -> None:
    """Check that the newest leaderboards of every counted vote include it."""
    newest: dict[tuple[str, str, str], int] = {}
    for row in tables["leaderboard"]:
        key = (row["track"], row["voters"], row["category"])
        newest[key] = max(newest.get(key, 0), row["watermark"])
    # The rows of a group have the same leaderboards, and only its newest vote can be too new.
    last: dict[tuple[str, str, str | None], Answer] = {}
    for answer in votes:
        row = answer.row
        if row["counted"]:
            last[row["track"], row["voter_kind"], row["categories"]] = answer
    for answer in last.values():
        voters = VoterKind(answer.row["voter_kind"]).group.value
        for category in _categories(answer.row):
            watermark = newest.get((answer.row["track"], voters, category))
            if watermark is None:
                raise answer.error(f"leaderboard.* has no leaderboard of {voters} for '{category}'")
            if int(answer.row["id"]) > watermark:
                raise answer.error(f"it is newer than the last leaderboard for '{category}'")


def _categories(row: Row) -> Iterator[str]:
    yield OVERALL
    yield from filter(None, (row["categories"] or "").split(JOIN))
