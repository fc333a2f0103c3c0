"""`/`: the vote page."""

from arena.web.duel import show_duel


def show_vote() -> None:
    """Render the page; the duel does everything else."""
    show_duel()
