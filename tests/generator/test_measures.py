"""Measures of third-party packages: a clip is valid without their scores."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_clips import ball_clip

from generator.measures import find_measures, measure_clip

MEASURES = """
def good(frames, **kwargs):
    return {"good": 0.5}

def bad(frames, **kwargs):
    raise RuntimeError("CUDA error: no card\\nat line 7")
"""
POINTS = """
[hippodrome.measures]
a_missing = not_there:measure
b_bad = other_measures:bad
c_good = other_measures:good
"""


@pytest.fixture
def installed_measures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "other_measures.py").write_text(MEASURES, encoding="utf-8")
    installed = tmp_path / "other-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Name: other\nVersion: 1.0\n", encoding="utf-8")
    (installed / "entry_points.txt").write_text(POINTS, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    find_measures.cache_clear()
    yield
    find_measures.cache_clear()


def test_if_a_measure_fails_the_next_one_is_used(
    installed_measures: None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert measure_clip(ball_clip(), prompt="outside of the built-in world") == {"good": 0.5}
    assert "a_missing cannot be loaded: No module named 'not_there'" in caplog.text
    assert "b_bad failed on a clip: CUDA error: no card" in caplog.text
    assert "at line 7" not in caplog.text
