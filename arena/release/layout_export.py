"""Writes an arena's votes as the files of another published set, into a new folder."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from html import escape
from pathlib import Path

from arena.audit.keys import Signer
from arena.audit.seals import make_seals
from arena.catalog.tracks import find_track, list_tracks
from arena.database import Database
from arena.release.collect import Extent, collect_tables, instant
from arena.release.export import README, SALT_BYTES, check_empty, new_folder, write_sums
from arena.release.layouts import Layout, make_sources, write_layout
from arena.site import UNNAMED, Site
from arena.standings.snapshots import newest_vote
from arena.text import pluralize

SETS = {
    Layout.LMSYS_33K: (
        "lmsys/chatbot_arena_conversations",
        "`conversation_a` and `conversation_b` have the prompt and the clip's path; moderation and "
        "toxicity are empty.",
    ),
    Layout.KAGGLE_55K: (
        "lmarena-ai/arena-human-preference-55k",
        "`response_a` and `response_b` have the clip's path; `winner_tie` merges ties and both "
        "bad.",
    ),
    Layout.GENAI_BENCH: (
        "TIGER-Lab/GenAI-Bench, video_generation",
        "`left_video` and `right_video` have the clip's path.",
    ),
    Layout.RAPIDATA: (
        "Rapidata/text-2-video-human-preferences",
        "One row for each two clips. A tie or both bad counts half for each and has no `votedFor`. "
        "Voters were asked for one preference: Coherence and Alignment are empty.",
    ),
}


@dataclass(frozen=True)
class LayoutSummary:
    """What was written: how many votes, into which file."""

    file: Path
    votes: int

    def __str__(self) -> str:
        return f"{self.file}: {pluralize(self.votes, 'vote')}."


def export_layout(
    database: Database,
    folder: Path,
    layout: Layout,
    *,
    signer: Signer,
    track: str | None = None,
    site: Site = UNNAMED,
    now: datetime,
    salt: bytes | None = None,
) -> LayoutSummary:
    """Write people's counted votes of a track as the files of another published set.

    Args:
        database: at the newest revision.
        folder: does not exist yet, or is empty.
        layout: whose files.
        signer: the arena's key: clips are named as in seals, so what is not sealed yet is sealed.
        track: name of the track; None: the only one with votes.
        site: name that the README states.
        now: aware.
        salt: key of the pseudonyms; random and discarded unless a test passes one.

    Raises:
        NotFound: no such track.
        ReleaseError: votes of several tracks, or a folder that is not empty or cannot be written.
    """
    folder = folder.absolute()
    check_empty(folder)
    make_seals(database, signer, now=now)
    with database.reading() as session:
        tracks = list_tracks(session) if track is None else [find_track(session, track)]
        extent = Extent(tracks, newest_vote(session), salt or secrets.token_bytes(SALT_BYTES))
        sources = make_sources(collect_tables(session, extent, []))
    with new_folder(folder) as draft:
        path = write_layout(layout, sources, draft)
        name, note = SETS[layout]
        text = (
            f"# Votes of {escape(site.title, quote=False)} in the files of {name}\n\n"
            f"Exported at {instant(now)}: {pluralize(len(sources.votes), 'vote')} by people that "
            f"count, without deliberate repeats. {note} A path `media/NAME.mp4` is a clip's "
            "in a release, where `clips.*` has NAME as `sha256`, or as `reference` while the hash "
            "is not public. Only a release (`arena export` without `--as`) can be verified.\n"
        )
        (draft / README).write_text(text, encoding="utf-8")
        write_sums(draft)
        written = folder / path.relative_to(draft)
    return LayoutSummary(written, len(sources.votes))
