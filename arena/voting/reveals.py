"""Decides what a voter learns about the two sides after the vote. Only reads."""

from arena.catalog.index import CatalogIndex
from arena.catalog.track_index import IndexedPrompt, IndexedTrack, TrackIndex
from arena.models import HONEY, Choice, Reveal
from arena.voting.battles import BattleRow
from arena.voting.schemas import RevealedSide


def reveals(track: IndexedTrack, prompt: IndexedPrompt, *, sampler: str, choice: Choice) -> bool:
    """Whether names are shown.

    Not for skips, held-out prompts, honey pairs and tracks that reveal at close. After a honey
    pair, its voter learns that it was one, by the status of the vote.
    """
    if prompt.is_held_out or sampler == HONEY or choice is Choice.SKIP:
        return False
    return track.reveal is Reveal.AFTER_VOTE or track.is_closed


def reveal(
    index: CatalogIndex,
    track: TrackIndex,
    battle: BattleRow,
    choice: Choice,
    shown_ratings: tuple[float | None, float | None],
) -> tuple[RevealedSide, RevealedSide] | None:
    """Return what the voter learns about both sides; None if the names stay hidden.

    Args:
        index: names the entrants.
        track: of the battle.
        battle: an answered one.
        choice: the vote's.
        shown_ratings: the ratings of both sides when the vote was cast.
    """
    prompt = index.prompts[battle.prompt_id]
    if not reveals(track.track, prompt, sampler=battle.sampler, choice=choice):
        return None
    clips = (battle.clip_a_id, battle.clip_b_id)
    entrants = [index.entrants[track.clips[clip_id].entrant_id] for clip_id in clips]
    a, b = (
        RevealedSide(name=entrant.name, creator=entrant.creator, rating=rating)
        for entrant, rating in zip(entrants, shown_ratings, strict=True)
    )
    return a, b
