"""Small helpers for text that people read: plurals and the names of tracks."""

AUDIO_SUFFIX = "-audio"  # ends the name of a track whose clips have sound


def pluralize(number: int, noun: str) -> str:
    """Return a count with its noun: "1 clip", "1,200 clips"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def track_label(name: str) -> str:
    """Return `text-to-video-audio` as `Text to video with sound`."""
    label = name.removesuffix(AUDIO_SUFFIX).replace("-", " ").capitalize()
    return f"{label} with sound" if name.endswith(AUDIO_SUFFIX) else label
