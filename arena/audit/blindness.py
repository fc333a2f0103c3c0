"""Measures whether what a voter receives before the vote says which model made a clip.

Three kinds of features are kept apart. What is *served* (answers, headers, timings, tables and
headers of files) must be at chance. What follows from the *content* (how many bytes of a picture
are not filler, loudness, silence) must not say more than the pictures. What the *pictures* say
cannot be hidden and is reported for comparison; it is never called blindness.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from arena.audit.blindness_collect import Collection, collect
from arena.audit.blindness_score import CHANCE, MIN_PROMPTS, Sample, Score, score_entrants
from arena.context import Arena
from arena.errors import CatalogError
from arena.models import Clip, ClipStatus, Track
from generator.media.fingerprint import CONTENT_GROUPS, FILE_GROUPS, PICTURE_GROUP, fingerprint

CONFIDENCE = 0.95
TOLERANCE = 0.05  # of a score above chance
WIDE = 0.2  # an interval above this width says little about a leak
ANSWERS, TIMINGS = "answers and addresses", "timings"
VERSION = 1


class Kind(StrEnum):
    SERVED = "served"
    CONTENT = "content"
    PICTURES = "pictures"


@dataclass(frozen=True)
class Finding:
    """The score of one entrant in one group of features."""

    group: str
    kind: Kind
    score: Score
    alarm: bool


@dataclass(frozen=True)
class Report:
    """What an audit of one track found."""

    track: str
    battles: int
    clips: int
    prompts: int
    entrants: tuple[str, ...]
    same_file_battles: int  # battles that showed the same bytes twice
    confidence: float  # that no interval of the served and content groups misses its score
    tolerance: float
    findings: tuple[Finding, ...]

    @property
    def alarms(self) -> list[Finding]:
        """The findings above the threshold."""
        return [finding for finding in self.findings if finding.alarm]

    @property
    def problems(self) -> list[str]:
        """What was found, as sentences; empty if the audit passed."""
        problems = [
            f"{self.track}: {each.group} says with a score of {each.score.score:.2f} "
            f"({each.score.lower:.2f} to {each.score.upper:.2f}) which clips are of "
            f"{each.score.entrant}."
            for each in self.alarms
        ]
        if self.same_file_battles:
            problems.append(
                f"{self.track}: {self.same_file_battles} battles showed one file twice."
            )
        return problems

    @property
    def caution(self) -> str | None:
        """Which leaks the audit could not have shown, if its intervals are wide; else None."""
        checked = [each for each in self.findings if each.kind is not Kind.PICTURES]
        widest = max(checked, key=lambda each: each.score.width, default=None)
        if widest is None or widest.score.width <= WIDE:
            return None
        least = CHANCE + self.tolerance + widest.score.width / 2
        leak = "any leak" if least >= 1 else f"a leak with a score below about {least:.2f}"
        return (
            f"{self.track}: intervals are up to {widest.score.width:.2f} wide ({widest.group}), so "
            f"{self.battles:,} battles of {self.prompts:,} prompts could not have shown {leak} "
            "there: use more --battles, or more prompts."
        )


def auditable_tracks(session: Session) -> list[Track]:
    """Return the open tracks that have clips of two entrants."""
    entrants = func.count(Clip.entrant_id.distinct())
    query = (
        select(Track)
        .join(Clip, Clip.track_id == Track.id)
        .where(Clip.status == ClipStatus.READY, Track.closed_at.is_(None))
        .group_by(Track.id)
        .having(entrants > 1)
        .order_by(Track.name)
    )
    return list(session.scalars(query))


def audit_blindness(
    arena: Arena,
    track: Track,
    *,
    battles: int,
    tolerance: float = TOLERANCE,
    seed: int = 0,
    on_battle: Callable[[], object] = lambda: None,
) -> Report:
    """Collect the battles of some hundred votes on a copy of the arena, and score all groups.

    Args:
        arena: stays unchanged.
        track: to audit.
        battles: to collect.
        tolerance: how much an interval's lower end may exceed chance.
        seed: of the votes and the classifier.
        on_battle: called after each battle.

    Raises:
        CatalogError: the track has too few prompts or entrants for a score.
        ConfigurationError: scikit-learn is not installed.
    """
    return assess(
        collect(arena, track, battles=battles, seed=seed, on_battle=on_battle),
        track=track.name,
        tolerance=tolerance,
        seed=seed,
    )


def assess(collection: Collection, *, track: str, tolerance: float, seed: int = 0) -> Report:
    """Score what was collected; raises as `audit_blindness`."""
    samples = _samples(collection)
    clips = samples[PICTURE_GROUP]
    entrants = tuple(sorted({sample.entrant for sample in clips}))
    prompts = {sample.prompt for sample in clips}
    if len(entrants) < 2 or len(prompts) < MIN_PROMPTS:
        raise CatalogError(
            f"The track {track} showed {len(entrants)} entrants and {len(prompts)} prompts: an "
            f"audit needs 2 entrants and {MIN_PROMPTS} prompts with clips, and enough --battles."
        )
    kinds = {
        **dict.fromkeys((ANSWERS, TIMINGS, *FILE_GROUPS), Kind.SERVED),
        **dict.fromkeys(CONTENT_GROUPS, Kind.CONTENT),
        PICTURE_GROUP: Kind.PICTURES,
    }
    kinds = {
        group: kind for group, kind in kinds.items() if any(s.features for s in samples[group])
    }
    # Bonferroni: over all entrants and groups that can raise an alarm.
    alpha = (1 - CONFIDENCE) / (len(entrants) * (len(kinds) - 1))
    scores = {
        group: {
            score.entrant: score for score in score_entrants(samples[group], alpha=alpha, seed=seed)
        }
        for group in kinds
    }
    findings = tuple(
        Finding(
            group,
            kind,
            score,
            alarm=_is_alarm(kind, score, scores[PICTURE_GROUP].get(name), tolerance),
        )
        for group, kind in kinds.items()
        for name, score in scores[group].items()
    )
    return Report(
        track=track,
        battles=collection.battles,
        clips=len(clips),
        prompts=len(prompts),
        entrants=entrants,
        same_file_battles=sum(s.same_as_other for s in collection.served if s.side == "a"),
        confidence=CONFIDENCE,
        tolerance=tolerance,
        findings=findings,
    )


def _is_alarm(kind: Kind, score: Score, pictures: Score | None, tolerance: float) -> bool:
    limit = CHANCE
    if kind is Kind.PICTURES:
        return False
    if kind is Kind.CONTENT and pictures is not None:
        limit = max(CHANCE, pictures.score)
    return bool(score.lower > limit + tolerance)


def _samples(collection: Collection) -> dict[str, list[Sample]]:
    """Return samples by group: of answers for each side of a battle, of files for each clip."""
    samples: dict[str, list[Sample]] = defaultdict(list)
    owners: dict[str, tuple[str, str]] = {}
    for served in collection.served:
        owner = collection.owners[served.token, served.side]
        samples[ANSWERS].append(Sample(*owner, served.answer))
        samples[TIMINGS].append(Sample(*owner, served.timings))
        owners.setdefault(served.sha256, owner)
    for sha256, owner in owners.items():
        for group, features in fingerprint(collection.files[sha256]).items():
            samples[group].append(Sample(*owner, features))
    return samples


def as_json(report: Report, *, now: datetime) -> dict[str, object]:
    """Return a report as JSON values."""
    values = asdict(report) | {
        "version": VERSION,
        "made_at": now.isoformat().replace("+00:00", "Z"),
        "chance": CHANCE,
        "passed": not report.problems,
    }
    values["findings"] = [
        {"group": each.group, "kind": each.kind.value, "alarm": each.alarm, **asdict(each.score)}
        for each in report.findings
    ]
    return values
