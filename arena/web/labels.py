"""Names of things as pages show them."""

SOUND = "-audio"


def track_label(name: str) -> str:
    """`text-to-video-audio` as `Text to video with sound`."""
    silent = name.removesuffix(SOUND)
    words = silent.replace("-", " ").capitalize()
    return f"{words} with sound" if name.endswith(SOUND) else words
