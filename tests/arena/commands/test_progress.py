"""Throughput and remaining time; names with markup are shown as plain text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.commands.output import err, out, show_table
from arena.commands.progress import BASIS, FIRST_WAVE, Throughput, format_duration, progress


@given(
    load=st.floats(0, 100),
    clip=st.floats(0.1, 50),
    workers=st.integers(1, 8),
    rounds=st.integers(1, 30),
)
def test_loading_and_the_first_wave_do_not_count_towards_the_rate(
    load: float, clip: float, workers: int, rounds: int
) -> None:
    throughput = Throughput(5.0)
    for number in range(1, rounds + 1):
        for _ in range(workers):
            throughput.step(5.0 + load + number * clip)
    now = 5.0 + load + rounds * clip
    first_wave_ends = 5.0 + FIRST_WAVE * (load + clip)
    waves = int((first_wave_ends - 5.0 - load) / clip + 1e-9)  # that end as the first one does
    total = workers * (rounds + 10)
    if workers * (rounds - max(waves, 1)) < BASIS:
        assert throughput.per_s is None
        assert throughput.left_s(total, now) is None
        return
    assert throughput.per_s == pytest.approx(workers / clip, rel=1e-6)
    assert throughput.left_s(total, now) == pytest.approx(10 * clip, rel=1e-6)


def test_there_is_no_estimate_before_there_is_a_basis() -> None:
    # As in the demo: a minute to load, then a clip every 5 s. The mean since the start would say
    # 130 minutes for what takes 10.
    throughput = Throughput(0.0)
    for clip in range(5):
        assert throughput.left_s(120, 60.0 + 5 * clip) is None
        throughput.step(65.0 + 5 * clip)
    for clip in range(5, 20):
        throughput.step(65.0 + 5 * clip)
        left = throughput.left_s(120, throughput.last)
        assert left is None or left == pytest.approx(5 * (119 - clip))
    assert left is not None


def test_the_remaining_time_decreases_between_two_steps() -> None:
    throughput = Throughput(0.0)
    assert throughput.left_s(10, 1.0) is None
    for now in (10.0, 20.0, 30.0, 40.0, 50.0):
        throughput.step(now)
    assert throughput.left_s(10, 50.0) == pytest.approx(50)
    assert throughput.left_s(10, 54.0) == pytest.approx(46)
    assert throughput.left_s(10, 1000.0) == 0


def test_the_rate_is_that_of_the_last_minutes() -> None:
    throughput = Throughput(0.0)
    for now in range(10, 1001, 10):
        throughput.step(float(now))
    for now in range(1100, 3001, 100):  # ten times slower, for longer than the window
        throughput.step(float(now))
    assert throughput.per_s == pytest.approx(0.01)


def test_slow_steps_have_an_estimate_as_well() -> None:
    throughput = Throughput(0.0)
    for step in range(1, 11):
        throughput.step(900.0 * step)
    assert throughput.left_s(20, 9000.0) == pytest.approx(9000)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59, "59 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")]
)
def test_durations_are_formatted_in_their_two_largest_units(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize("terminal", [False, True])
def test_markup_in_names_is_shown_as_text(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    name = "Odd [/b] [red]name[/red] :horse:"
    monkeypatch.setattr(err, "_force_terminal", terminal)
    monkeypatch.setattr(err, "_width", 200)
    monkeypatch.setattr(out, "_force_terminal", terminal)
    monkeypatch.setattr(out, "_width", 200)
    show_table(name, (name,), [(name,)])
    assert capsys.readouterr().out.count(name) == (3 if terminal else 2)  # title, heading, cell
    with progress(name, 2, {name: 2}) as advance:
        advance(note=name)
        advance(note=name)
    shown = capsys.readouterr().err
    assert name in shown
    assert ("2/2" if terminal else "2 of 2") in shown
