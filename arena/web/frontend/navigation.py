"""The pages: their paths, titles and descriptions, for the HTML that search engines read."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Page:
    """One page.

    Attributes:
        path: below the arena's address, without a slash; empty for the first page.
        title: in the navigation.
        headline: in the browser's title bar, before the name of the site.
        description: for search engines and previews of links.
    """

    path: str
    title: str
    headline: str
    description: str


PAGES = (
    Page(
        "",
        "Vote",
        "Compare two video models, blind",
        "Watch two clips that two video models made of the same prompt, without their names, and "
        "vote for the better one.",
    ),
    Page(
        "leaderboard",
        "Leaderboard",
        "Leaderboard",
        "Ratings of video models on the Elo scale, with 95% confidence intervals, computed from "
        "blind votes.",
    ),
    Page(
        "releases",
        "Releases",
        "Releases",
        "All votes of this arena as data, with signed seals: anyone can recompute every "
        "leaderboard from them.",
    ),
    Page(
        "me",
        "Your votes",
        "Your votes",
        "The votes of this browser with their receipts, what became of them, what is stored of "
        "you, and how to leave.",
    ),
    Page(
        "about",
        "About",
        "How this arena works",
        "How clips are made and shown, what a vote is, how ratings are computed, and how anyone "
        "can check them.",
    ),
)
PAGE_BY_PATH = {f"/{page.path}": page for page in PAGES}
