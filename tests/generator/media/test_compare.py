"""How far two makings of one clip are apart."""

import math
from dataclasses import replace

from generator.media import encode_master
from generator.media.compare import compare
from playable import film


def test_the_same_files_are_no_difference() -> None:
    master = encode_master(film(1))
    found = compare(master, master)
    assert found.same
    assert found.picture_db == found.sound_db == math.inf


def test_other_pictures_and_sound_are_so_many_decibels_apart() -> None:
    found = compare(encode_master(film(1)), encode_master(film(2)))
    assert not found.same
    assert 0 < found.picture_db < 60
    assert found.sound_db is not None
    assert found.sound_db < 60


def test_sound_that_only_one_has_is_a_whole_difference() -> None:
    heard = film(1)
    silent = encode_master(replace(heard, audio=None, sample_rate=None))
    assert compare(encode_master(heard), silent).sound_db == 0
    assert compare(silent, silent).sound_db is None
