"""What `arena status` says to do next, in an empty arena and in one where everything is done."""

from dataclasses import replace

import pytest

from arena.status import TrackStatus, next_steps

DONE = TrackStatus(
    "text-to-video",
    state="active",
    entrants=2,
    prompts=3,
    ready=6,
    missing=0,
    failed=0,
    withheld=0,
    votes=0,
    votes_today=0,
)


@pytest.mark.parametrize(
    ("tracks", "commands"),
    [
        ([], ["tracks add"]),
        ([replace(DONE, state="inactive", entrants=0, prompts=0)], ["entrants add", "prompts"]),
        ([replace(DONE, state="inactive", entrants=0)], ["entrants add"]),
        ([replace(DONE, missing=1)], ["generate"]),
        ([replace(DONE, failed=1)], ["failures"]),
        ([replace(DONE, state="inactive", entrants=1)], ["entrants add"]),
        ([DONE], ["serve"]),
        ([replace(DONE, votes=1)], ["serve", "leaderboard", "export"]),
        ([replace(DONE, state="closed", votes=1)], ["export"]),
    ],
)
def test_every_state_of_an_arena_has_a_next_step(
    tracks: list[TrackStatus], commands: list[str]
) -> None:
    steps = next_steps(tracks)
    assert len(steps) == len(commands)
    for step, command in zip(steps, commands, strict=True):
        assert f"`arena {command}" in step
