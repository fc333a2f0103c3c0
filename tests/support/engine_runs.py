"""Requests for several clips, and the outcomes of a run."""

import hashlib
from collections.abc import Iterator

from small_clips import small_track

from generator.clips import ClipRequest, FailedClip, GeneratedClip
from generator.spec import Entrant

TRACK = small_track(audio=True)
# Of no world of the built-in models, whose measures would take most of the time.
PROMPTS = ("a horse runs over grass", "a dog sleeps on ice at night", "green", "yellow")


def requests_for(entrant: Entrant, prompts: tuple[str, ...] = PROMPTS) -> list[ClipRequest]:
    """A request for each prompt, with the ids p0, p1, ... and the seeds 0, 1, ..."""
    return [
        ClipRequest(entrant, TRACK, f"p{number}", prompt, seed=number)
        for number, prompt in enumerate(prompts)
    ]


def outcome(clips: Iterator[GeneratedClip | FailedClip]) -> dict[tuple[str, str], str]:
    """By entrant's name and prompt id: the rendition's SHA-256, or the reason of the failure."""
    return {
        (clip.request.entrant.name, clip.request.prompt_id): (
            clip.reason
            if isinstance(clip, FailedClip)
            else hashlib.sha256(clip.rendition).hexdigest()
        )
        for clip in clips
    }
