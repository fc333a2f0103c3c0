"""First images and source videos are converted to the track's format."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_clips import FRAMES, HEIGHT, WIDTH, ball_clip, entrant_of, small_track

from generator.backends.diffusers.arguments import IMAGE, VIDEO
from generator.backends.diffusers.sources import TargetFormat, read_source
from generator.clips import ClipRequest
from generator.errors import ClipError
from generator.media import encode_rendition

TRACK = small_track(audio=True)
SAME = TargetFormat(WIDTH, HEIGHT, FRAMES, TRACK.fps, multiple=1)


def from_image(prompt: str, input_image: object) -> None: ...


def from_video(prompt: str, video: object) -> None: ...


def request(source: Path | None) -> ClipRequest:
    return ClipRequest(entrant_of("diffusers"), TRACK, "p1", "a ball", 0, source)


def test_an_image_is_cropped_to_the_tracks_aspect_ratio(tmp_path: Path) -> None:
    path = tmp_path / "first.png"
    wide = np.zeros((100, 400, 3), np.uint8)
    wide[:, 150:250] = 255
    Image.fromarray(wide).save(path)
    arguments = read_source(request(path), names=IMAGE, call=from_image, target=SAME)
    image = arguments["input_image"]
    assert image.size == (WIDTH, HEIGHT)
    assert np.asarray(image)[:, WIDTH // 2].min() > 250
    assert np.asarray(image)[:, 2].max() < 5


def test_a_video_is_fitted_to_the_track(tmp_path: Path) -> None:
    path = tmp_path / "source.mp4"
    path.write_bytes(encode_rendition(ball_clip(), TRACK))
    arguments = read_source(request(path), names=VIDEO, call=from_video, target=SAME)
    assert [frame.size for frame in arguments["video"]] == [(WIDTH, HEIGHT)] * FRAMES


def test_a_missing_or_invalid_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match="p1 has no source"):
        read_source(request(None), names=IMAGE, call=from_image, target=SAME)
    with pytest.raises(ClipError, match="does not exist"):
        read_source(request(tmp_path / "none.png"), names=IMAGE, call=from_image, target=SAME)
    text = tmp_path / "text.png"
    text.write_text("not an image", encoding="utf-8")
    with pytest.raises(ClipError, match=r"text\.png cannot be opened"):
        read_source(request(text), names=IMAGE, call=from_image, target=SAME)


def test_a_text_track_needs_no_source() -> None:
    assert read_source(request(None), names=(), call=from_image, target=SAME) == {}
