"""Writes voters' reports that a file of a battle does not play: voids the battle, checks the file.

A file that is missing or damaged is withheld from all battles at once. A file that is intact is
withheld after reports from two voters, so that one voter cannot empty a track; the damaged copies
of honey pairs are not.
"""

import logging
import random
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from arena.catalog.index import catalog_index
from arena.catalog.withholding import REPORTED, withhold_clip, withhold_source
from arena.database import Database
from arena.errors import AlreadyVoted, NotFound
from arena.media import MediaStore, find_damage
from arena.models import (
    BattleReport,
    BattleState,
    Clip,
    ClipStatus,
    Prompt,
    Track,
    WithheldCause,
    WithheldClip,
)
from arena.voting import battles
from arena.voting.battles import BattleRow, VoteRow, is_withdrawn
from arena.voting.issuing import Issuer, describe, read_voter_battles, system_rng
from arena.voting.limits import VotingRules, check_reports
from arena.voting.schemas import BrokenForm, IssuedBattle
from arena.voting.served_files import StoredFile, index_of, stored_file
from arena.voting.snapshots import last_snapshot
from arena.voting.voters import VoterRow, make_voters, read_voters

WITHHELD_AFTER = 2  # voters who report a file that is intact
# Of a track's clips or sources: what such reports can withhold in all. More reports than that are
# a browser that cannot play any of them, or somebody who wants to empty the track.
MAX_REPORTED_SHARE = 0.1
MIN_REPORTED = 1

logger = logging.getLogger(__name__)


def report_broken(
    database: Database,
    store: MediaStore,
    *,
    voter_key: str,
    token: str,
    form: BrokenForm,
    rules: VotingRules,
    now: datetime,
    rng: random.Random | None = None,
) -> IssuedBattle | None:
    """Void a battle of which a file does not play, and return the battle to show instead.

    Repeating a report returns the next battle again and stores nothing.

    Raises:
        NotFound: unknown token, or that of another voter; or the battle shows no source.
        AlreadyVoted: the battle was answered.
        TooMany: the voter reported too many files that are intact, or skipped too often.
    """
    with database.reading() as session:
        _, battle, _ = _find(session, voter_key=voter_key, token=token, lock=False)
        file = stored_file(session, index_of(session, battle), battle, form.side)
    # Reads the whole file, so not while other voters wait for the transaction.
    damage = find_damage(store, file.path, sha256=file.sha256, size=file.bytes)

    def void(session: Session) -> IssuedBattle | None:
        voter, battle, vote = _find(session, voter_key=voter_key, token=token)
        if vote is not None:
            raise AlreadyVoted("You voted in this battle already.")
        if not voter.is_stored:
            make_voters(session, [voter], [now])
        if battle.voided_at is None:
            if damage is None and not is_withdrawn(index_of(session, battle), session, battle):
                check_reports(session, voter, rules=rules, now=now)
            _void(session, battle, file, reason=form.reason, damage=damage, now=now)
        # Read again, since a file may be withheld now.
        index = catalog_index(session, exact=True)
        key = (voter.id, battle.track_id)
        own = read_voter_battles(session, index, [key])[key]
        snapshot = last_snapshot(session, battle.track_id)
        issuer = Issuer(session, snapshot, now, rng or system_rng())
        upcoming = issuer.open_after(own, battle)
        battles.store(session, own.changed)
        return describe(index, own, upcoming, rules) if upcoming else None

    return database.write(void)


def _find(
    session: Session, *, voter_key: str, token: str, lock: bool = True
) -> tuple[VoterRow, BattleRow, VoteRow | None]:
    # Locks the row, on databases that do, so that requests of one voter are handled in sequence.
    voter = read_voters(session, [voter_key], lock=lock).get(voter_key)
    battle, vote = battles.read_by_token(session, [token]).get(token, (None, None))
    if voter is None or battle is None or battle.voter_id != voter.id:
        raise NotFound("You have no battle with this token.")
    return voter, battle, vote


def _void(
    session: Session,
    battle: BattleRow,
    file: StoredFile,
    *,
    reason: str,
    damage: str | None,
    now: datetime,
) -> None:
    battle.state = BattleState.EXPIRED
    battle.voided_at = now
    battles.store(session, [battle])
    session.add(
        BattleReport(
            battle_id=battle.id,
            voter_id=battle.voter_id,
            clip_id=file.clip_id,
            prompt_id=file.prompt_id if file.clip_id is None else None,
            reason=reason,
            damage=damage,
            reported_at=now,
        )
    )
    session.flush()
    if damage is not None:
        withhold_file(session, file, cause=WithheldCause.DAMAGED, reason=damage, now=now)
    elif not _is_copy(session, file) and (reporters := _reporters(session, file)) >= WITHHELD_AFTER:
        # The reason is what somebody sent: `repr` keeps it on one line.
        text = f"{REPORTED} that it does not play (voters: {reporters}, last reason: {reason!r})"
        if _may_withhold(session, battle, file):
            withhold_file(session, file, cause=WithheldCause.REPORTED, reason=text, now=now)
        elif reporters == WITHHELD_AFTER:
            logger.warning(
                "Clip %s, or the source of prompt %s, is still shown, since many others are "
                "withheld after reports: %s.",
                *(file.clip_id, file.prompt_id, text),
            )


def _is_copy(session: Session, file: StoredFile) -> bool:
    """Whether a file is a copy that was damaged on purpose: reports would end all honey pairs."""
    return file.clip_id is not None and session.get_one(Clip, file.clip_id).damage is not None


def _may_withhold(session: Session, battle: BattleRow, file: StoredFile) -> bool:
    """Whether reports may still withhold a file: cookies cost nothing, so anyone can send many."""
    if file.clip_id is None:
        in_track = Prompt.tracks.any(Track.id == battle.track_id)
        withheld = select(func.count()).where(Prompt.source_fault.is_not(None), in_track)
        all_files = select(func.count()).where(Prompt.source_path.is_not(None), in_track)
    else:
        in_track = Clip.track_id == battle.track_id
        withheld = (
            select(func.count())
            .select_from(WithheldClip)
            .join(Clip)
            .where(WithheldClip.cause == WithheldCause.REPORTED, in_track)
        )
        all_files = select(func.count()).where(Clip.status == ClipStatus.READY, in_track)
    most = max(MIN_REPORTED, int(MAX_REPORTED_SHARE * (session.scalar(all_files) or 0)))
    return (session.scalar(withheld) or 0) < most


def _reporters(session: Session, file: StoredFile) -> int:
    """Count the voters who reported a file."""
    query = select(func.count(BattleReport.voter_id.distinct()))
    if file.clip_id is None:
        query = query.where(BattleReport.prompt_id == file.prompt_id)
    else:
        query = query.where(BattleReport.clip_id == file.clip_id)
    return session.scalar(query) or 0


def withhold_file(
    session: Session, file: StoredFile, *, cause: WithheldCause, reason: str, now: datetime
) -> bool:
    """Withhold the clip or source of a battle's file; return whether it was shown until now."""
    if file.clip_id is None:
        return withhold_source(session, session.get_one(Prompt, file.prompt_id), reason=reason)
    clip = session.get_one(Clip, file.clip_id)
    return withhold_clip(session, clip, cause=cause, reason=reason, now=now)
