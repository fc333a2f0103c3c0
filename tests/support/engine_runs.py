"""Requests of many clips, and what came of them."""

import hashlib
from collections.abc import Iterator

from small_clips import small_track

from generator.clips import ClipRequest, FailedClip, GeneratedClip
from generator.spec import Entrant

TRACK = small_track(audio=True)
PROMPTS = ("a red ball bounces on grass", "a blue cube rolls on ice at night", "green", "yellow")


def requests_for(entrant: Entrant, prompts: tuple[str, ...] = PROMPTS) -> list[ClipRequest]:
    return [
        ClipRequest(entrant, TRACK, f"p{number}", prompt, seed=number)
        for number, prompt in enumerate(prompts)
    ]


def outcome(clips: Iterator[GeneratedClip | FailedClip]) -> dict[tuple[str, str], str]:
    return {
        (clip.request.entrant.name, clip.request.prompt_id): (
            clip.reason
            if isinstance(clip, FailedClip)
            else hashlib.sha256(clip.rendition).hexdigest()
        )
        for clip in clips
    }
