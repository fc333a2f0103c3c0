"""Numbers of things in words."""


def counted(number: int, noun: str) -> str:
    """`number` with its noun: "1 clip", "1,200 clips"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
