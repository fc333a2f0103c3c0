"""How fast a run goes and how long it will take, and what names with mark-up look like."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.commands.output import err, out, show_table
from arena.commands.progress import Throughput, in_words, progress


@given(
    load=st.floats(0, 100),
    clip=st.floats(0.1, 50),
    workers=st.integers(1, 8),
    rounds=st.integers(2, 30),
)
def test_loading_and_the_first_wave_are_not_taken_for_speed(
    load: float, clip: float, workers: int, rounds: int
) -> None:
    pace = Throughput(5.0)
    for turn in range(1, rounds + 1):
        for _ in range(workers):
            pace.step(5.0 + load + turn * clip)
    assert pace.per_s is not None
    first = load + clip
    waves = max(1, int(1.25 * first / clip - load / clip + 1e-9))  # that count as the start
    if rounds > waves + 1:
        assert pace.per_s == pytest.approx(workers / clip, rel=0.01)
    total = workers * (rounds + 10)
    left = pace.left_s(total, 5.0 + load + rounds * clip)
    assert left is not None
    assert left >= 10 * clip * 0.99


def test_the_time_left_goes_on_between_two_steps() -> None:
    pace = Throughput(0.0)
    assert pace.left_s(10, 1.0) is None
    for now in (10.0, 20.0, 30.0):
        pace.step(now)
    assert pace.left_s(10, 30.0) == pytest.approx(70)
    assert pace.left_s(10, 34.0) == pytest.approx(66)
    assert pace.left_s(10, 1000.0) == 0


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (59, "59 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")]
)
def test_times_are_said_as_one_says_them(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


@pytest.mark.parametrize("terminal", [False, True])
def test_names_with_mark_up_stand_as_they_are(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    name = "Odd [/b] [red]name[/red] :horse:"
    monkeypatch.setattr(err, "_force_terminal", terminal)
    monkeypatch.setattr(err, "_width", 200)
    monkeypatch.setattr(out, "_width", 200)
    show_table(name, (name,), [(name,)])
    assert capsys.readouterr().out.count(name) == 3
    with progress(name, 2, {name: 2}) as advance:
        advance(note=name)
        advance(note=name)
    told = capsys.readouterr().err
    assert name in told
    assert "2 of 2" in told or "2/2" in told
