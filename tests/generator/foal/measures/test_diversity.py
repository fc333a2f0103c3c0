"""Diversity and novelty: about 1 for clips of the world, 0 for copies."""

import numpy as np
import pytest

from generator.foal.measures import diversity

PROMPT = "a red ball bounces on grass by day"


def test_equal_clips_are_not_diverse_and_copies_are_not_novel() -> None:
    descriptors = diversity.sample_descriptors(PROMPT, 12, 7)
    assert diversity.diversity({PROMPT: descriptors})[PROMPT] == pytest.approx(1, abs=0.25)
    assert diversity.diversity({PROMPT: [descriptors[0]] * 5})[PROMPT] == 0
    assert np.mean([diversity.novelty(PROMPT, clip) for clip in descriptors]) == pytest.approx(
        1, abs=0.3
    )
    copied = diversity.sample_descriptors(
        PROMPT, diversity.TRAINING_CLIPS, diversity.TRAINING_SEED
    )[0]
    assert diversity.novelty(PROMPT, copied) == 0
