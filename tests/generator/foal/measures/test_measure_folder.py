"""Measures of a folder of clips: summary, intervals, and errors in one sentence."""

from pathlib import Path

import pytest
from foal_scenes import BOUNCE, BOUNCE_PROMPT, RenderedClip, render_clip

from generator.foal.measures.measure_folder import (
    GROUND_TRUTH,
    DecodedClip,
    FolderError,
    as_table,
    mean_interval,
    measure_clips,
    measure_folder,
    measure_ground_truth,
)
from generator.foal.world.captions import plain_caption
from generator.foal.world.clip import make_clip


def test_a_sample_of_true_renders_scores_as_documented() -> None:
    summary = measure_ground_truth(8).summary
    assert set(GROUND_TRUTH) == set(summary)
    for name, value in GROUND_TRUTH.items():
        # One of eight clips may be hard; chance agreement and distances vary widely.
        slack = 0.4 if name in ("sync_shuffled", "novelty", "diversity") else 0.13
        assert abs(summary[name].mean - value) < slack, name
    assert summary["quality"].count == 8
    assert summary["quality"].lower <= summary["quality"].mean <= summary["quality"].upper


def test_clips_of_one_caption_are_compared_for_diversity() -> None:
    clips = [
        (
            str(seed),
            BOUNCE_PROMPT,
            DecodedClip(*render_clip(make_clip(seed, scene=BOUNCE))[:1], 24, None, None),
        )
        for seed in (1, 2)
    ]
    summary = measure_clips([*clips, ("again", BOUNCE_PROMPT, clips[0][2])]).summary
    assert summary["diversity"].count == 1
    assert summary["novelty"].count == 3
    assert summary["colour_1"].mean == 1


def test_a_folder_is_measured_by_its_prompts(tmp_path: Path, bounce: RenderedClip) -> None:
    (tmp_path / "prompts.csv").write_text("id,text\np1,a red ball bounces\np2,a city\n")
    for name in ("p1", "p2"):
        (tmp_path / f"{name}.mp4").touch()
    rendered = DecodedClip(bounce[0], 24, bounce[1], 48_000)
    measures = measure_folder(tmp_path, lambda path: rendered)
    assert set(measures.clips) == {"p1"}
    assert measures.skipped == ("p2",)
    assert as_table(measures).row_count == len(measures.summary)


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "missing"), ("id,prompt\n1,a\n", "columns id and text"), ("id,text\n1,a\n", "no clip")],
)
def test_a_folder_that_cannot_be_measured_is_refused_with_a_reason(
    tmp_path: Path, content: str | None, said: str
) -> None:
    if content is not None:
        (tmp_path / "prompts.csv").write_text(content)
    with pytest.raises(FolderError, match=said):
        measure_folder(tmp_path, lambda path: pytest.fail("nothing to read"))


def test_missing_clips_are_reported_and_one_clip_has_no_interval(
    bounce: RenderedClip, tmp_path: Path
) -> None:
    (tmp_path / "prompts.csv").write_text(
        f"id,text\nthere,{plain_caption(BOUNCE)}\ngone,a red ball rolls\n", encoding="utf-8"
    )
    (tmp_path / "there.mp4").touch()
    result = measure_folder(tmp_path, lambda path: DecodedClip(bounce[0], 24, bounce[1], 48_000))
    assert result.missing == ("gone",)
    assert (result.summary["quality"].lower, result.summary["quality"].count) == (None, 1)
    table = as_table(result)
    assert "No clip for 1 prompt (gone)" in str(table.caption)
    (tmp_path / "prompts.csv").write_text("id,text\nthere,ein Pferd\n", encoding="utf-8")
    with pytest.raises(FolderError, match="contains no clip of Foal's world"):
        measure_folder(tmp_path, lambda path: DecodedClip(bounce[0], 24, bounce[1], 48_000))


def test_the_interval_of_a_proportion_is_clipped() -> None:
    result = mean_interval([1.0, 1.0, 0.8, 1.0], maximum=1.0)
    assert result.upper == 1.0
    assert result.lower is not None
    assert 0 < result.lower < result.mean
