"""A rendered clip for the tests of the measures."""

import pytest
from foal_scenes import BOUNCE, RenderedClip, render_clip

from generator.foal.world.clip import make_clip


@pytest.fixture(scope="session")
def bounce() -> RenderedClip:
    """A red ball that bounces on grass by day, 256 pixels."""
    return render_clip(make_clip(11, scene=BOUNCE), size=256)
