"""A damaged copy looks damaged, and its file cannot be distinguished from others of its track."""

import pytest
from small_clips import ball_clip, ball_frames, small_track

from generator.errors import ClipError
from generator.media import encode_rendition
from generator.media.compare import compare
from generator.media.damage import DAMAGES, MAX_PICTURE_DB, damage_rendition
from generator.media.fingerprint import FILE_GROUPS, fingerprint
from generator.media.probe import probe


@pytest.mark.parametrize("kind", DAMAGES)
@pytest.mark.parametrize("audio", [False, True])
def test_a_copy_differs_from_its_clip_in_its_pictures_alone(kind: str, audio: bool) -> None:
    track = small_track(audio=audio)
    clip = encode_rendition(ball_clip(), track)
    copy = damage_rendition(clip, track, kind=kind, seed=3)
    assert compare(clip, copy).picture_db <= MAX_PICTURE_DB
    assert len(copy) == len(clip)
    assert probe(copy) == probe(clip)
    features = [fingerprint(data) for data in (clip, copy)]
    for group in FILE_GROUPS:
        assert features[0].get(group) == features[1].get(group), group


def test_the_same_seed_gives_the_same_file() -> None:
    track = small_track(audio=False)
    clip = encode_rendition(ball_clip(), track)
    copies = [damage_rendition(clip, track, kind="noise", seed=seed) for seed in (1, 1, 2)]
    assert copies[0] == copies[1] != copies[2]


def test_damage_that_hardly_shows_is_refused() -> None:
    track = small_track(audio=False)
    frames = ball_frames()
    frames[:] = (110, 160, 230)
    for index, frame in enumerate(frames):  # a flat picture whose brightness changes
        frame[:] += index % 8
    clip = encode_rendition(ball_clip(frames=frames), track)
    with pytest.raises(ClipError, match="another kind"):
        damage_rendition(clip, track, kind="blur", seed=0)
    damage_rendition(clip, track, kind="noise", seed=0)
