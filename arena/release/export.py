"""Writes a release into a new folder, completely or not at all."""

import hashlib
import json
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from arena.audit.blindness_reports import read_reports
from arena.audit.keys import Signer
from arena.audit.seals import make_seals
from arena.canonical import instant_text
from arena.catalog.tracks import find_track, list_tracks
from arena.database import Database
from arena.errors import ReleaseError
from arena.files import atomic_write
from arena.holds.ledger import newest_event
from arena.media import MediaStore
from arena.models import Track
from arena.published import RELEASE_FILE
from arena.release.boards import compute_boards, leaderboard_rows
from arena.release.collect import Extent, collect_tables, has_public_file, ready_clips
from arena.release.documents import (
    SHIPPED_LICENCE,
    About,
    WrittenFile,
    croissant,
    readme,
    release_document,
)
from arena.release.manifest import MANIFEST, make_manifest
from arena.release.openings import OPENINGS, openings_document
from arena.release.registrations import REGISTRATIONS, registrations_document
from arena.release.schema import ANSWERS, TABLES
from arena.release.seals import SEALS, dump, seals_document
from arena.release.tables import FORMATS, spreadsheet_name, write_table
from arena.shipped import shipped_prompts
from arena.site import UNNAMED, Site
from arena.standings.snapshots import newest_vote, store_snapshot
from arena.text import pluralize

SALT_BYTES = 32
SUMS = "SHA256SUMS"
MEDIA = "media"
README = "README.md"
CROISSANT = "croissant.json"
BLINDNESS = "blindness.json"
NO_AUDIT = (
    "No audit of blindness was made of these tracks before the release: whether what voters "
    "receive names the models is not measured. `arena audit blindness` measures it."
)


def describe_other_answers(*, skips: int, honey: int) -> list[str]:
    """Return how many answers are not among the votes of a release, as phrases; none for 0."""
    return [
        *([f"{pluralize(honey, 'answer')} to honey pairs"] if honey else []),
        *([pluralize(skips, "skip")] if skips else []),
    ]


@dataclass(frozen=True)
class ReleaseSummary:
    """What an export wrote, and where."""

    folder: Path
    about: About
    files: int
    bytes: int

    def __str__(self) -> str:
        rows, copies = self.about.rows, self.about.damaged_copies
        counts = [
            pluralize(rows["votes"], "vote"),
            pluralize(rows["simulated"], "simulated vote"),
            *describe_other_answers(skips=rows["skips"], honey=rows["traps"]),
            pluralize(rows["models"], "model"),
            pluralize(rows["clips"], "clip")
            + (f" (of which {copies:,} damaged for honey pairs)" if copies else ""),
            pluralize(rows["leaderboard"], "leaderboard row"),
        ]
        return (
            f"{self.folder}: {', '.join(counts)}, up to vote {self.about.watermark:,}; "
            f"{pluralize(self.files, 'file')}, {self.bytes / 1e6:.1f} MB."
        )


def export_release(
    database: Database,
    folder: Path,
    *,
    signer: Signer,
    track: str | None = None,
    formats: Sequence[str] = ("parquet", "csv"),
    store: MediaStore | None = None,
    with_media: bool = False,
    spreadsheet: bool = False,
    site: Site = UNNAMED,
    home: Path | None = None,
    now: datetime,
    salt: bytes | None = None,
) -> ReleaseSummary:
    """Write the votes of all tracks, or of one, with everything they refer to, into a new folder.

    Today's leaderboards are computed first, so that none is older than the votes.

    Args:
        database: at the newest revision.
        folder: does not exist yet, or is empty.
        signer: the arena's key: what is not sealed yet is sealed, and the release is signed.
        track: name of the only track; None for all.
        formats: a subset of `FORMATS`; every table is written in each.
        store: has the renditions; required for `with_media`.
        with_media: whether to copy the renditions of closed tracks too.
        spreadsheet: whether to write another CSV of each table, which spreadsheets open safely.
        site: name, contact and licence that the release states.
        home: ARENA_HOME, which keeps the reports on blindness; None: there are none.
        now: the time of the export; aware.
        salt: key of the pseudonyms; random and discarded unless a test passes one.

    Returns:
        What was written.

    Raises:
        NotFound: no such track.
        ReleaseError: an unknown format; a folder that is not empty or cannot be written; models
            with the same name.
    """
    formats = _checked_formats(formats)
    if with_media and store is None:
        raise ReleaseError("Clips can only be exported together with their media store.")
    folder = folder.absolute()
    check_empty(folder)
    with new_folder(folder) as draft:
        with database.reading() as session:  # votes are accepted while leaderboards are computed
            tracks = _tracks(session, track)
            watermark, hold_events = newest_vote(session), newest_event(session)
            computed = compute_boards(session, tracks, now=now)

        def store_boards(session: Session) -> list[dict[str, Any]]:
            for each in computed:
                store_snapshot(session, each, replace_newer=True)
            return leaderboard_rows(session, tracks, watermark=watermark, now=now)

        board = database.write(store_boards)
        make_seals(database, signer, now=now, up_to=watermark)
        with database.reading() as session:
            extent = Extent(
                tracks=_tracks(session, track),
                watermark=watermark,
                salt=salt or secrets.token_bytes(SALT_BYTES),
                hold_events=hold_events,
            )
            tables = collect_tables(session, extent, board)
            media = _renditions(session, extent) if with_media else []
            documents = _documents(session, tables, extent)
        reports = {} if home is None else read_reports(home, [each.name for each in extent.tracks])
        documents[BLINDNESS] = _blindness(reports, extent)
        about = _about(
            tables,
            extent,
            formats=formats,
            with_media=any(each.is_public for each in media),
            spreadsheet=spreadsheet,
            audited=tuple(reports),
            site=site,
            now=now,
        )
        _write(draft, tables, about)
        documents[RELEASE_FILE] = release_document(
            about, key=signer.fingerprint, seal=documents[SEALS]["seals"][-1]["hash"]
        )
        for name, document in documents.items():
            (draft / name).write_text(dump(document), encoding="utf-8")
        if store is not None:
            _write_media(draft, store, media)
        _write_manifest(draft, tables, about, seals=documents[SEALS], signer=signer)
        write_sums(draft)
        paths = files_in(draft)
        summary = ReleaseSummary(
            folder, about, files=len(paths), bytes=sum(path.stat().st_size for path in paths)
        )
    return summary


def _checked_formats(formats: Sequence[str]) -> tuple[str, ...]:
    for name in formats:
        if name not in FORMATS:
            raise ReleaseError(
                f"A release cannot be written as '{name}': choose from {', '.join(FORMATS)}."
            )
    return tuple(dict.fromkeys(str(name) for name in formats)) or FORMATS[:1]


def check_empty(folder: Path) -> None:
    """Raise ReleaseError unless a folder does not exist yet, or is empty."""
    try:
        if folder.is_dir():
            if any(folder.iterdir()):
                raise ReleaseError(f"{folder} is not empty: choose a new folder for the release.")
        elif folder.exists():
            raise ReleaseError(f"{folder} is a file: choose a new folder for the release.")
    except OSError as error:
        raise _unwritable(folder, error) from error


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder that becomes `folder` at the end, or is deleted on any error."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(folder) as draft:
            draft.mkdir()
            yield draft
    except OSError as error:
        raise _unwritable(folder, error) from error


def _unwritable(folder: Path, error: OSError) -> ReleaseError:
    return ReleaseError(
        f"The release {folder} cannot be written ({error.strerror or error}): "
        "free some space, or choose another folder."
    )


def _tracks(session: Session, name: str | None) -> list[Track]:
    return list_tracks(session) if name is None else [find_track(session, name)]


def _about(
    tables: dict[str, Any],
    extent: Extent,
    *,
    formats: Sequence[str],
    with_media: bool,
    spreadsheet: bool,
    audited: Sequence[str],
    site: Site,
    now: datetime,
) -> About:
    voters: set[str] = set()
    for name in ANSWERS:
        voters.update(tables[name]["evaluation_session_id"].unique().to_pylist())
    return About(
        tracks=[track.name for track in extent.tracks],
        rows={name: table.num_rows for name, table in tables.items()},
        damaged_copies=len(tables["clips"]["damage"].drop_null()),
        voters=len(voters),
        watermark=extent.watermark,
        formats=formats,
        with_media=with_media,
        spreadsheet=spreadsheet,
        open_tracks=[track.name for track in extent.tracks if track.closed_at is None],
        audited=audited,
        made_at=now,
        version=version("hippodrome"),
        title=site.title,
        contact=site.contact,
        licence=site.licence or (SHIPPED_LICENCE if _all_shipped(tables["prompts"]) else ""),
    )


def _all_shipped(prompts: Any) -> bool:
    """Whether every prompt of a release is a shipped one."""
    exported = zip(prompts["id"].to_pylist(), prompts["text"].to_pylist(), strict=True)
    return set(exported) <= shipped_prompts()


def _write(draft: Path, tables: dict[str, Any], about: About) -> None:
    written = []
    for schema in TABLES:
        for format_ in about.formats:
            path = draft / f"{schema.name}.{format_}"
            write_table(tables[schema.name], path)
            written.append(WrittenFile(path.name, path.stat().st_size, sha256_of(path)))
        if about.spreadsheet:
            write_table(tables[schema.name], draft / spreadsheet_name(schema.name))
    (draft / README).write_text(readme(about), encoding="utf-8")
    _write_json(draft / CROISSANT, croissant(about, written))


def _documents(session: Session, tables: dict[str, Any], extent: Extent) -> dict[str, Any]:
    """Return seals, openings and registrations of a release with these tables, by file."""
    contained = {int(number) for name in ANSWERS for number in tables[name]["id"].to_pylist()}
    return {
        SEALS: seals_document(session, contained, set(tables["holds"]["number"].to_pylist())),
        OPENINGS: openings_document(session, tables["models"].to_pylist()),
        REGISTRATIONS: registrations_document(session, extent.tracks),
    }


def _blindness(reports: dict[str, Any], extent: Extent) -> dict[str, Any]:
    """The last reports on blindness, and the tracks that have none."""
    missing = [track.name for track in extent.tracks if track.name not in reports]
    return {
        "reports": list(reports.values()),
        "not_audited": missing,
        "note": NO_AUDIT if missing else None,
    }


def _write_manifest(
    draft: Path, tables: dict[str, Any], about: About, *, seals: Any, signer: Signer
) -> None:
    text = make_manifest(
        tables,
        {path.relative_to(draft).as_posix(): sha256_of(path) for path in files_in(draft)},
        signer=signer,
        seal=seals["seals"][-1]["hash"],
        watermark=about.watermark,
        tracks=about.tracks,
        made_at=instant_text(about.made_at),
    )
    (draft / MANIFEST).write_text(text, encoding="utf-8")


def _write_json(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class _Rendition:
    """A stored file that voters get, and whether it may be published."""

    path: str
    sha256: str
    is_public: bool


def _renditions(session: Session, extent: Extent) -> list[_Rendition]:
    return [
        _Rendition(clip.rendition_path, clip.sha256, has_public_file(clip))
        for clip in ready_clips(session, extent)
        if clip.sha256 and clip.rendition_path
    ]


def _write_media(draft: Path, store: MediaStore, renditions: Sequence[_Rendition]) -> None:
    """Compare every file with its hash, and copy those that may be published."""
    for each in renditions:
        if store.sha256(each.path) != each.sha256:
            raise ReleaseError(
                f"The clip {each.path} is not the one that was stored: restore it from a backup, "
                "or export without --with-media."
            )
        if each.is_public:
            (draft / MEDIA).mkdir(exist_ok=True)
            (draft / MEDIA / f"{each.sha256}.mp4").write_bytes(store.read(each.path))


def write_sums(draft: Path) -> None:
    """Write the checksums of all files of a folder."""
    lines = [
        f"{sha256_of(path)}  {path.relative_to(draft).as_posix()}\n" for path in files_in(draft)
    ]
    (draft / SUMS).write_text("".join(lines), encoding="utf-8")


def files_in(folder: Path) -> list[Path]:
    """Return every file of a release, sorted by path."""
    return sorted(path for path in folder.rglob("*") if not path.is_dir())


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
