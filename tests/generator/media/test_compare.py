"""The difference between two generations of one clip."""

import math
from dataclasses import replace

from generator.media import encode_master
from generator.media.compare import compare
from playable import bar_clip


def test_identical_files_have_no_difference() -> None:
    master = encode_master(bar_clip(1))
    difference = compare(master, master)
    assert difference.same
    assert difference.picture_db == difference.sound_db == math.inf


def test_different_frames_and_sound_have_a_finite_ratio() -> None:
    difference = compare(encode_master(bar_clip(1)), encode_master(bar_clip(2)))
    assert not difference.same
    assert 0 < difference.picture_db < 60
    assert difference.sound_db is not None
    assert difference.sound_db < 60


def test_sound_in_only_one_of_the_clips_is_the_largest_difference() -> None:
    with_sound = bar_clip(1)
    silent = encode_master(replace(with_sound, audio=None, sample_rate=None))
    assert compare(encode_master(with_sound), silent).sound_db == 0
    assert compare(silent, silent).sound_db is None
