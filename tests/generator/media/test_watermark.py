"""A clip that shows its maker's name is rejected."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from small_clips import ball_frames, entrant_of, small_track

from generator.clips import ClipRequest
from generator.errors import ClipError
from generator.media import watermark
from generator.media.watermark import check_watermark, identifying_words, ocr_available

ENTRANT = entrant_of("folder", path="/clips").model_copy(
    update={"name": "Veo 3", "creator": "Google Video Labs"}
)


def request(prompt: str = "a ball") -> ClipRequest:
    return ClipRequest(ENTRANT, small_track(audio=False), "p1", prompt, 0)


@pytest.mark.parametrize(
    ("words", "prompt", "expected"),
    [
        ({"veo"}, "a ball", {"veo"}),
        ({"made", "by", "google"}, "a ball", {"google"}),
        ({"video", "labs"}, "a ball", set()),  # common in makers' names
        ({"3"}, "a ball", set()),
        ({"google"}, "a shop sign that says Google", set()),  # part of the prompt
        ({"googled"}, "a ball", set()),
    ],
)
def test_only_words_that_identify_the_maker_count(
    words: set[str], prompt: str, expected: set[str]
) -> None:
    assert identifying_words(words, ENTRANT, prompt) == expected


def test_the_last_frame_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = ball_frames(6)
    monkeypatch.setattr(watermark, "ocr_available", lambda: True)
    monkeypatch.setattr(
        watermark,
        "ocr_words",
        lambda frame: {"google"} if np.array_equal(frame, frames[-1]) else {"ball"},
    )
    with pytest.raises(ClipError, match=r"shows its maker's name \(google\)"):
        check_watermark(frames, request())
    check_watermark(frames, request("the logo of Google"))
    check_watermark(frames[:-1], request())


@pytest.mark.skipif(not ocr_available(), reason="needs Tesseract")
def test_a_watermark_is_detected_and_a_clean_clip_passes() -> None:
    frames = ball_frames(6, width=320, height=180)
    check_watermark(frames, request())
    frame = Image.fromarray(frames[-1])
    font = ImageFont.load_default(22)
    ImageDraw.Draw(frame).text((180, 150), "Google Veo", fill="white", font=font)
    marked = frames.copy()
    marked[-1] = np.asarray(frame)
    with pytest.raises(ClipError, match="google, veo"):
        check_watermark(marked, request())
    check_watermark(marked, request("a sign that says Google Veo"))
