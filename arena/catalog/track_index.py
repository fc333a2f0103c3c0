"""What battles of one track may show: its clips, and the pairs of entrants that have them.

Requests of voters draw from it; `index` reads it from the database.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations

from arena.models import Modality, Reveal

# Whoever asks for a category of fewer prompts sees the same clips so often that the names shown
# after a few votes say whose each of them is.
MIN_CATEGORY_PROMPTS = 10

Task = tuple[str, int]  # a prompt's id and a seed, the same for both clips of a battle
EntrantPair = tuple[int, int]  # two entrants' ids, the lower one first


@dataclass(frozen=True, slots=True)
class IndexedEntrant:
    """What voters may learn of an entrant after the vote."""

    id: int
    name: str
    creator: str | None
    is_retired: bool


@dataclass(frozen=True, slots=True)
class IndexedPrompt:
    """A prompt; what is known of its source is None if it has none that can be shown."""

    id: str
    text: str
    categories: list[str]
    is_held_out: bool
    is_retired: bool
    source_path: str | None
    source_sha256: str | None
    source_bytes: int
    source_media_type: str | None
    source_width: int
    source_height: int
    source_fault: str | None

    @property
    def shows_source(self) -> bool:
        """Whether its source can be shown."""
        return self.source_path is not None and self.source_fault is None


@dataclass(frozen=True, slots=True)
class IndexedClip:
    """A clip; `path` and `sha256` of the rendition are None unless it is ready.

    A damaged copy has a `seed` below 0 (`models.copy_seed`).
    """

    id: int
    entrant_id: int
    prompt_id: str
    seed: int
    path: str | None
    sha256: str | None

    @property
    def task(self) -> Task:
        return (self.prompt_id, self.seed)


@dataclass(frozen=True, slots=True)
class IndexedTrack:
    """A track's settings, as battles need them."""

    id: int
    name: str
    modality: Modality
    audio: bool
    bytes: int
    min_watch_ms: int
    reveal: Reveal
    sampler: str
    reasons: list[str]
    is_closed: bool

    @property
    def shows_source(self) -> bool:
        """Whether battles show the source of their prompt."""
        return self.modality is not Modality.TEXT_TO_VIDEO


@dataclass(frozen=True, eq=False)
class PairChoices:
    """The pairs of entrants that battles may show, in one track or in one category of it.

    Attributes:
        clips: the ids of the clips that may be shown, by entrant and task.
        identical: tasks of which two entrants have the same bytes, by pair.
    """

    clips: dict[int, dict[Task, int]]
    identical: dict[EntrantPair, set[Task]]
    _tasks: dict[EntrantPair, tuple[Task, ...]] = field(default_factory=dict, repr=False)

    @cached_property
    def pairs(self) -> tuple[EntrantPair, ...]:
        """Every pair with a task to show, sorted."""
        return tuple(pair for pair in combinations(sorted(self.clips), 2) if self._has_task(pair))

    @cached_property
    def fewest_tasks(self) -> int:
        """The smallest number of tasks of a pair; of fewer battles, none uses up a pair."""
        return min((len(self.tasks(pair)) for pair in self.pairs), default=0)

    @cached_property
    def prompts(self) -> int:
        """The number of prompts that at least two entrants have clips of."""
        owners = Counter(task for tasks in self.clips.values() for task in tasks)
        return len({task[0] for task, number in owners.items() if number > 1})

    def tasks(self, pair: EntrantPair) -> tuple[Task, ...]:
        """Return the tasks of which both entrants have different clips, sorted."""
        found = self._tasks.get(pair)
        if found is None:
            common = self.clips[pair[0]].keys() & self.clips[pair[1]].keys()
            found = tuple(sorted(common - self.identical.get(pair, set())))
            self._tasks[pair] = found
        return found

    def _has_task(self, pair: EntrantPair) -> bool:
        identical = self.identical.get(pair)
        if identical is None:
            return not self.clips[pair[0]].keys().isdisjoint(self.clips[pair[1]])
        return bool(self.tasks(pair))


class TrackIndex:
    """One track's settings and clips.

    Attributes:
        clips: every clip of the track by id, those that are not shown any more included.
        shown: the ids of the clips that battles may show, without damaged copies.
        copies: the damaged copies that honey pairs may show: the id of the clip, by that of the
            copy.
        copy_ids: all damaged copies, those that are not shown any more included.
        choices: the pairs of the whole track.
    """

    def __init__(
        self,
        track: IndexedTrack,
        clips: dict[int, IndexedClip],
        shown: frozenset[int],
        copies: dict[int, int],
        same_bytes: dict[EntrantPair, set[Task]],
        prompts: dict[str, IndexedPrompt],
    ) -> None:
        self.track = track
        self.clips = clips
        self.shown = shown
        self.copies = copies
        self.copy_ids = frozenset(clip.id for clip in clips.values() if clip.seed < 0)
        self._shown_with_copies = shown.union(copies)
        self._identical = same_bytes
        self._prompts = prompts
        self._by_category: dict[str, PairChoices] = {}
        self.choices = self._choices(shown)

    def has(self, *clip_ids: int) -> bool:
        """Whether the index has these clips: others are newer than it."""
        return all(clip_id in self.clips for clip_id in clip_ids)

    def shows(self, *clip_ids: int) -> bool:
        """Whether battles may show all of these clips."""
        return self._shown_with_copies.issuperset(clip_ids)

    def copies_of(self, category: str | None) -> list[int]:
        """Return the damaged copies whose prompt has a category, by id; None for all prompts."""
        return [
            copy
            for copy in self.copies
            if category is None or category in self._prompts[self.clips[copy].prompt_id].categories
        ]

    def choices_of(self, category: str | None) -> PairChoices:
        """Return the pairs whose prompt has a category; None for all prompts."""
        if category is None:
            return self.choices
        found = self._by_category.get(category)
        if found is None:
            found = self._choices(
                clip_id
                for clip_id in self.shown
                if category in self._prompts[self.clips[clip_id].prompt_id].categories
            )
            self._by_category[category] = found
        return found

    def may_ask_for(self, category: str) -> bool:
        """Whether the category has enough prompts for battles of it alone."""
        return self.choices_of(category).prompts >= MIN_CATEGORY_PROMPTS

    def _choices(self, clip_ids: Iterable[int]) -> PairChoices:
        clips: dict[int, dict[Task, int]] = defaultdict(dict)
        for clip_id in clip_ids:
            clip = self.clips[clip_id]
            clips[clip.entrant_id][clip.task] = clip_id
        return PairChoices(dict(clips), self._identical)
