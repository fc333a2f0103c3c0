"""Sources of prompts: what browsers show is copied at import, other files are refused."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from source_arena import image_bytes, import_with_sources
from sqlalchemy import select

from arena.catalog.prompts import find_prompt, import_prompts
from arena.catalog.schemas import PromptEntry
from arena.catalog.source_files import SourceFile, read_source
from arena.catalog.sources import store_missing_sources
from arena.catalog.withholding import faulty_sources
from arena.context import Arena, make_arena
from arena.errors import CatalogError
from arena.models import Prompt
from arena.shipped import Collection
from playable import settings_for
from small_arena import START

ORIENTATION = 0x0112


def video_bytes(
    codec: str = "libx264",
    *,
    kind: str = "mp4",
    pixel_format: str = "yuv420p",
    size: tuple[int, int] = (64, 48),
    aspect: Fraction | None = None,
) -> bytes:
    buffer = BytesIO()
    with av.open(buffer, "w", format=kind) as container:
        stream = container.add_stream(codec, rate=8)
        stream.width, stream.height, stream.pix_fmt = *size, pixel_format
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        for level in (20, 90, 200):
            frame = np.full((size[1], size[0], 3), level, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def turned_image(kind: str) -> bytes:
    buffer = BytesIO()
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    Image.new("RGB", (40, 30)).save(buffer, kind, exif=exif)
    return buffer.getvalue()


def read(folder: Path, data: bytes) -> SourceFile:
    path = folder / "file"
    path.write_bytes(data)
    return read_source(path)


@pytest.mark.parametrize(
    ("data", "media_type", "size"),
    [
        (lambda: image_bytes("red"), "image/png", (40, 30)),
        (lambda: image_bytes("red", kind="JPEG"), "image/jpeg", (40, 30)),
        (lambda: image_bytes("red", kind="WEBP"), "image/webp", (40, 30)),
        (lambda: image_bytes("red", kind="GIF"), "image/gif", (40, 30)),
        (lambda: turned_image("JPEG"), "image/jpeg", (30, 40)),
        (lambda: turned_image("PNG"), "image/png", (30, 40)),
        (lambda: video_bytes(), "video/mp4", (64, 48)),
        (lambda: video_bytes(aspect=Fraction(3, 2)), "video/mp4", (96, 48)),
        (lambda: video_bytes("libvpx-vp9", kind="webm"), "video/webm", (64, 48)),
    ],
)
def test_what_browsers_show_is_read_with_its_size_as_shown(
    tmp_path: Path, data: Callable[[], bytes], media_type: str, size: tuple[int, int]
) -> None:
    content = data()
    source = read(tmp_path, content)
    assert (source.media_type, (source.width, source.height)) == (media_type, size)
    assert source.data == content


@pytest.mark.parametrize(
    "data",
    [
        lambda: b"not a picture",
        lambda: b"",
        lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        lambda: image_bytes("red", kind="TIFF"),
        lambda: image_bytes("red", kind="BMP"),
        lambda: image_bytes("red")[:60],
        lambda: video_bytes("mpeg4"),
        lambda: video_bytes(pixel_format="yuv444p"),
        lambda: video_bytes(kind="matroska"),
        lambda: video_bytes()[:400],
    ],
)
def test_other_files_are_refused_with_a_sentence_that_says_what_to_do(
    tmp_path: Path, data: Callable[[], bytes]
) -> None:
    with pytest.raises(CatalogError, match=r"use a PNG|convert it") as refused:
        read(tmp_path, data())
    assert str(tmp_path / "file") in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.fixture
def arena(tmp_path: Path) -> Iterator[Arena]:
    opened = make_arena(settings_for(tmp_path / "home"), Collection.DEMO)
    yield opened
    opened.database.dispose()


def entry(path: Path, data: bytes, **values: object) -> PromptEntry:
    path.write_bytes(data)
    return PromptEntry.model_validate({"id": "new", "text": "x", "source": str(path), **values})


def test_the_demos_sources_are_stored_with_their_sizes(arena: Arena) -> None:
    with arena.database.reading() as session:
        prompts = session.scalars(select(Prompt).where(Prompt.source.is_not(None))).all()
        assert len(prompts) == 8
        for prompt in prompts:
            assert prompt.source_media_type in ("image/png", "video/mp4")
            assert (prompt.source_width, prompt.source_height) == (256, 256)
            assert len(arena.store.read(str(prompt.source_path))) == prompt.source_bytes
    make_arena(arena.settings, Collection.DEMO).database.dispose()
    assert len(list((Path(arena.store.root) / "sources").rglob("*.*"))) == 8


def test_an_import_that_is_refused_leaves_no_file(arena: Arena, tmp_path: Path) -> None:
    before = sorted((Path(arena.store.root) / "sources").rglob("*.*"))
    good = entry(tmp_path / "a.png", image_bytes("red"), id="good")
    bad = entry(tmp_path / "b.png", b"nothing", id="bad")
    with pytest.raises(CatalogError):
        import_with_sources(arena, [good, bad])
    assert sorted((Path(arena.store.root) / "sources").rglob("*.*")) == before


def test_a_prompt_without_tracks_is_for_those_that_need_its_kind_of_source(
    arena: Arena, tmp_path: Path
) -> None:
    import_with_sources(
        arena,
        [
            entry(tmp_path / "i.png", image_bytes("red"), id="image"),
            entry(tmp_path / "v.mp4", video_bytes(), id="video"),
        ],
    )
    with arena.database.reading() as session:
        for key, modality in (("image", "image-to-video"), ("video", "video-edit")):
            tracks = [track.name for track in find_prompt(session, key).tracks]
            assert tracks == [modality, f"{modality}-audio"]


def test_a_source_of_the_wrong_kind_is_refused(arena: Arena, tmp_path: Path) -> None:
    for track, data, sentence in (
        (
            "image-to-video",
            video_bytes(),
            "is a video, and the track image-to-video needs an image",
        ),
        ("video-edit", image_bytes("red"), "is an image, and the track video-edit needs a video"),
    ):
        with pytest.raises(CatalogError, match=sentence):
            import_with_sources(arena, [entry(tmp_path / "source", data, tracks=(track,))])


def test_the_source_of_a_prompt_never_changes(arena: Arena, tmp_path: Path) -> None:
    first = entry(tmp_path / "a.png", image_bytes("red"))
    import_with_sources(arena, [first])
    import_with_sources(arena, [first])
    with pytest.raises(CatalogError, match="another source"):
        import_with_sources(arena, [entry(tmp_path / "a.png", image_bytes("blue"))])


def test_sources_of_older_versions_are_copied_later_and_lost_ones_are_named(
    arena: Arena, tmp_path: Path
) -> None:
    kept = entry(tmp_path / "kept.png", image_bytes("red"), id="kept", tracks=("image-to-video",))
    lost = entry(tmp_path / "lost.png", image_bytes("red"), id="lost", tracks=("image-to-video",))
    with arena.database.writing() as session:  # as an older version stored them
        import_prompts(session, [kept, lost], now=START)
    (tmp_path / "lost.png").unlink()
    (sentence,) = store_missing_sources(arena.database, arena.store)
    assert "Prompt lost: " in sentence
    with arena.database.reading() as session:
        assert find_prompt(session, "kept").source_bytes == len(image_bytes("red"))
        assert list(faulty_sources(session)) == ["lost"]
    found = entry(tmp_path / "found.png", image_bytes("red"), id="lost")
    import_with_sources(arena, [found])
    with arena.database.reading() as session:
        assert faulty_sources(session) == {}
        assert find_prompt(session, "lost").source == str(tmp_path / "found.png")
    assert store_missing_sources(arena.database, arena.store) == []
