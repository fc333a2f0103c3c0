"""Diversity and novelty: about 1 for clips of the world, 0 for copies."""

import numpy as np
import pytest
from foal_scenes import BOUNCE_PROMPT

from generator.foal.measures import diversity


def test_equal_clips_are_not_diverse_and_copies_are_not_novel() -> None:
    descriptors = diversity.sample_descriptors(BOUNCE_PROMPT, 12, 7)
    assert diversity.diversity({BOUNCE_PROMPT: descriptors})[BOUNCE_PROMPT] == pytest.approx(
        1, abs=0.25
    )
    assert diversity.diversity({BOUNCE_PROMPT: [descriptors[0]] * 5})[BOUNCE_PROMPT] == 0
    assert np.mean(
        [diversity.novelty(BOUNCE_PROMPT, clip) for clip in descriptors]
    ) == pytest.approx(1, abs=0.3)
    copied = diversity.sample_descriptors(
        BOUNCE_PROMPT, diversity.TRAINING_CLIPS, diversity.TRAINING_SEED
    )[0]
    assert diversity.novelty(BOUNCE_PROMPT, copied) == 0
