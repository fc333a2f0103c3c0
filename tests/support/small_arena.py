"""A small arena for tests: two tracks, three entrants, four prompts, and a clip row for each."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from arena import database
from arena.catalog.entrants import add_entrant
from arena.catalog.prompts import import_prompts, list_prompts
from arena.catalog.schemas import EntrantEntry, PromptEntry, TrackEntry
from arena.catalog.tracks import add_track, find_track, list_tracks
from arena.database import Database
from arena.models import Battle, Choice, Clip, ClipStatus, Entrant, Track
from arena.settings import Settings, make_home
from arena.voting import ballots
from arena.voting.limits import VotingRules
from arena.voting.schemas import CastVote, IssuedBattle, VoteForm

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TRACK = "text-to-video"
TRACK_WITH_SOUND = "text-to-video-audio"
NAMES = ("Alder", "Birch", "Cedar")
PROMPTS = ("p-1", "p-2", "p-3", "p-4")


def track_entry(name: str = TRACK, **settings: object) -> TrackEntry:
    values: dict[str, object] = {
        **{"name": name, "modality": "text-to-video", "audio": name.endswith("-audio")},
        **{"width": 64, "height": 64, "fps": 24, "frames": 24},
        **{"video_kbps": 300, "bytes": 80_000},
    }
    return TrackEntry.model_validate(values | settings)


def entrant_entry(name: str, **values: object) -> EntrantEntry:
    defaults: dict[str, object] = {
        **{"slug": name.lower(), "name": name, "creator": f"{name} Labs", "licence": "MIT"},
        **{"tracks": (TRACK, TRACK_WITH_SOUND), "backend": {"kind": "folder", "path": "/clips"}},
    }
    return EntrantEntry.model_validate(defaults | values)


def ready_clip(track: Track, entrant: Entrant, prompt_id: str) -> Clip:
    """A clip whose files do not exist; its measured quality follows the order of `NAMES`."""
    name = f"{track.name}/{entrant.slug}/{prompt_id}"
    return Clip(
        entrant_id=entrant.id,
        track_id=track.id,
        prompt_id=prompt_id,
        seed=0,
        status=ClipStatus.READY,
        master_path=f"masters/{name}",
        rendition_path=f"renditions/{name}",
        sha256=hashlib.sha256(name.encode()).hexdigest(),
        measures={"quality": (1 + NAMES.index(entrant.name)) / 4},
        created_at=START,
    )


def add_clips(opened: Database) -> None:
    """Add a ready clip row, without a file, for every track, entrant and prompt."""
    with opened.writing() as session:
        prompts = list_prompts(session)
        for track in list_tracks(session):
            for entrant in track.entrants:
                for prompt in prompts:
                    session.add(ready_clip(track, entrant, prompt.id))


def new_database(folder: Path) -> Database:
    opened = Database(f"sqlite:///{folder / 'arena.sqlite'}")
    database.upgrade(opened)
    return opened


def fill_small_arena(opened: Database) -> None:
    with opened.writing() as session:
        for name in (TRACK, TRACK_WITH_SOUND):
            add_track(session, track_entry(name), now=START)
        for name in NAMES:
            add_entrant(session, entrant_entry(name), now=START)
        entries = [
            PromptEntry(
                id=key, text=f"Prompt {key}", categories=("even",) * (int(key[-1]) % 2 == 0)
            )
            for key in PROMPTS
        ]
        import_prompts(session, entries, now=START)
    add_clips(opened)


def new_home(folder: Path) -> Database:
    """Make an ARENA_HOME with the small arena, and open its database."""
    make_home(Settings(home=folder))
    opened = new_database(folder)
    fill_small_arena(opened)
    return opened


class Booth:
    """One voter in one track, with a clock that advances while clips are watched."""

    def __init__(
        self,
        opened: Database,
        *,
        key: str = "a" * 32,
        track: str = TRACK,
        rules: VotingRules | None = None,
    ) -> None:
        self.database, self.key, self.track = opened, key, track
        self.rules = rules or VotingRules()
        self.now = START

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def ask(self, category: str | None = None) -> IssuedBattle:
        with self.database.writing() as session:
            return ballots.issue_battle(
                session,
                voter_key=self.key,
                track_name=self.track,
                category=category,
                rules=self.rules,
                now=self.now,
            )

    def cast(self, token: str, choice: Choice | str, **values: object) -> CastVote:
        form = VoteForm.model_validate({"choice": choice, **values})
        with self.database.writing() as session:
            return ballots.cast_vote(
                session,
                voter_key=self.key,
                token=token,
                form=form,
                rules=self.rules,
                now=self.now,
            )

    def vote(self, choice: Choice | str) -> CastVote:
        """Request a battle, watch both clips to the end, and vote."""
        battle = self.ask()
        self.wait(battle.min_watch_ms / 1000)
        return self.cast(battle.token, choice)

    def models(self, token: str) -> tuple[str, str]:
        """Return the models on the left and right of a battle."""
        with self.database.reading() as session:
            battle = session.scalars(select(Battle).where(Battle.token == token)).one()
            return battle.clip_a.entrant.name, battle.clip_b.entrant.name


def stored_track(opened: Database, name: str = TRACK) -> Track:
    with opened.reading() as session:
        return find_track(session, name)
