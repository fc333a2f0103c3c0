"""The api backend: bodies, provider files of an operator's own, and faults of services."""

import base64
import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from small_clips import entrant_of

from api_orders import Remembering, a_request, make_entrant, order, sourced_request
from fake_services import KEY, TRANSCRIPTS, FakeService, Reply, serving_service
from generator.backends.api import ApiBackend, options, placing, uploading
from generator.backends.api.addresses import is_public
from generator.backends.api.answers import Answer, Meaning, at, meaning_of
from generator.backends.api.provider import find_provider, parse_provider, shipped_providers
from generator.backends.api.schema_parts import Errors
from generator.backends.api.signing import kling_token
from generator.backends.api.sources import find_source
from generator.backends.api.tree import PLACEHOLDERS, fill
from generator.clips import ClipRequest
from generator.errors import BackendError, ClipError, OrderError, SpecError
from generator.media import encode_master
from generator.orders import NoJournal
from generator.spec import Entrant, TrackSettings
from playable import bar_clip

NAME = "dashscope"
BODIES = [
    (name, order.body)
    for name in shipped_providers()
    for order in find_provider(name).provider.orders
]
TEXTS = st.text() | st.sampled_from(["{seed}", '"}, "x": {"', "{prompt}", "\\", "\n", "null"])


@pytest.fixture
def service() -> Iterator[FakeService]:
    with serving_service(FakeService(TRANSCRIPTS[NAME], encode_master(bar_clip(1)))) as running:
        yield running


@pytest.fixture
def entrant(service: FakeService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Entrant:
    monkeypatch.setattr(placing, "RETRY_S", 0.01)
    return make_entrant(NAME, service, tmp_path, monkeypatch)


def shape(tree: Any) -> Any:
    """A tree with the types of its leaves, texts and numbers alike."""
    if isinstance(tree, dict):
        return {key: shape(value) for key, value in tree.items()}
    return [shape(value) for value in tree] if isinstance(tree, list) else "leaf"


@given(values=st.fixed_dictionaries(dict.fromkeys(sorted(PLACEHOLDERS), TEXTS)))
def test_no_value_changes_the_shape_of_a_body(values: dict[str, str]) -> None:
    for name, body in BODIES:
        filled = fill(body, values)
        assert shape(filled) == shape(body), name
        assert shape(json.loads(json.dumps(filled))) == shape(body), name


def test_what_has_no_value_falls_away() -> None:
    body = {
        "seed": "{seed}",
        "fixed": {},
        "inner": {"size": "{width}"},
        "media": [{"type": "first_frame", "url": "{image}"}],
        "parts": [{"text": "{prompt}"}, {"type": "image", "image": {"url": "{image}"}}],
        "text": "a {seed} b",
    }
    expected = {"fixed": {}, "parts": [{"text": "x"}], "text": "a {seed} b"}
    assert fill(body, {"prompt": "x"}) == expected


def test_places_are_of_lists_objects_and_the_first_of_a_type() -> None:
    data = {"data": [{"outputs": [{"type": "image"}, {"type": "video", "url": "u"}]}]}
    assert at(data, "data.0.outputs[type=video].url") == "u"
    assert at({"data": data["data"][0]}, "data.0.outputs[type=video].url") == "u"
    assert at(data, "data.3.outputs") is None
    assert at(data, "data.0.outputs[type=sound].url") is None


def test_an_exact_code_goes_before_a_prefix_and_a_longer_prefix_before_a_shorter() -> None:
    errors = Errors(
        code_at=("code",), later=("Throttling*",), failed=("Throttling.Quota*",), refused=("Bad",)
    )

    def meaning(code: str) -> Meaning:
        return meaning_of(Answer(400, {"code": code}, ""), errors)

    assert meaning("Throttling.Rate") is Meaning.LATER
    assert meaning("Throttling.Quota.Day") is Meaning.FAILED
    assert meaning("Bad") is Meaning.REFUSED
    assert meaning("Badly") is Meaning.FAILED
    assert meaning_of(Answer(429, None, ""), errors) is Meaning.LATER
    assert meaning_of(Answer(502, None, ""), errors) is Meaning.UNCLEAR


def test_a_kling_token_is_signed_with_the_secret() -> None:
    # Computed with another implementation of RFC 7519.
    assert kling_token("ak", "sk", now=1_700_000_000).split(".")[0] == (
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
    )


def test_an_unknown_key_of_a_provider_file_is_refused_with_its_line(tmp_path: Path) -> None:
    text = (Path(placing.__file__).parent / "providers/ark.toml").read_text(encoding="utf-8")
    lines = text.splitlines()
    for wanted, wrong in (
        (
            "pace = { concurrency = 3, per_minute = 180, poll_s = 5 }",
            "pace = { concurrency = 3, per_minute = 180, pol_s = 5 }",
        ),
        ('file_at = "content.video_url"', 'fille_at = "content.video_url"'),
        ('sound = "switch"', 'sonud = "switch"'),
        ('mark = "switched off with watermark = false"', 'mrk = "x"'),
    ):
        number = lines.index(wanted) + 1
        changed = text.replace(wanted, wrong, 1)
        with pytest.raises(SpecError, match=rf"line {number},.*not a known key"):
            parse_provider(changed.encode(), source="mine.toml")


def test_a_placeholder_that_is_not_known_is_refused() -> None:
    text = (Path(placing.__file__).parent / "providers/ark.toml").read_text(encoding="utf-8")
    with pytest.raises(SpecError, match=r"\{promt\}"):
        parse_provider(text.replace("{prompt}", "{promt}").encode(), source="mine.toml")


def test_an_own_provider_file_needs_its_host_to_be_trusted(entrant: Entrant) -> None:
    backend = entrant.backend.model_copy(update={"trusted_host": "api.example"})
    with pytest.raises(SpecError, match=r"--trust-host 127\.0\.0\.1"):
        ApiBackend(entrant.model_copy(update={"backend": backend})).check(
            a_request(entrant, NoJournal()).track
        )


def test_a_provider_that_has_ended_is_refused_and_an_old_one_is_warned_of(
    entrant: Entrant, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(str(entrant.backend.options["provider"]))
    monkeypatch.setattr(options, "today", lambda: options.date(2027, 12, 1))
    notes = ApiBackend(entrant).notes()
    assert "DASHSCOPE_API_KEY" in notes[0]
    assert any("days ago" in note for note in notes)
    path.write_text("ends = 2026-01-01\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(SpecError, match="ended on 2026-01-01"):
        ApiBackend(entrant).check(a_request(entrant, NoJournal()).track)


def test_a_key_in_the_spec_is_refused_and_not_shown(entrant: Entrant) -> None:
    key = "A1B2C3D4E5F6A1B2C3D4E5F6A1B2"
    for option in ("api_key_env", "region", "tier"):
        spec = entrant.backend.model_copy(update={option: key})
        with pytest.raises(SpecError) as caught:
            ApiBackend(entrant.model_copy(update={"backend": spec})).check(
                a_request(entrant, NoJournal()).track
            )
        assert key not in str(caught.value)


def test_a_missing_key_is_named(entrant: Entrant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DASHSCOPE_API_KEY")
    with pytest.raises(SpecError, match="DASHSCOPE_API_KEY is not set"):
        order(entrant)


def test_a_prompt_beyond_the_limit_is_not_cut_and_not_ordered(
    service: FakeService, entrant: Entrant
) -> None:
    with (
        ApiBackend(entrant) as backend,
        pytest.raises(BackendError, match=r"2,501 characters.*2,500"),
    ):
        backend.generate(a_request(entrant, Remembering(), prompt="x" * 2501))
    assert service.orders == []


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply({"code": "InvalidApiKey", "message": f"Bad {KEY}"}, 401), "check the key"),
        (Reply({"code": "Arrearage", "message": "pay"}, 402), "no money left"),
        (Reply({"code": "ModelNotFound", "message": "no"}, 404), "backend.model"),
        (Reply({"code": "Throttling.AllocationQuota", "message": "used up"}, 429), "quota"),
        (Reply({"code": "InvalidParameter", "message": "seed"}, 400), "seed"),
    ],
)
def test_a_rejected_order_says_why_without_the_key(
    service: FakeService,
    entrant: Entrant,
    reply: Reply,
    words: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    service.create_replies = [reply]
    journal = Remembering()
    with pytest.raises(BackendError, match=words) as caught:
        order(entrant, journal)
    assert not isinstance(caught.value, OrderError)
    assert KEY not in str(caught.value) + caplog.text
    assert journal.events == ["placing", "rejected"]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(raw=b"<html>down</html>"),
        Reply(raw=b"{" * 50_000),
        Reply(raw=b'"' + b"x" * 5_000_000 + b'"'),
        Reply({"output": {}}, 500),
        Reply({"output": {}}),
    ],
    ids=["html", "nested", "5 MB", "500", "no id"],
)
def test_an_order_with_an_answer_that_says_nothing_is_unknown_and_not_sent_again(
    service: FakeService, entrant: Entrant, reply: Reply
) -> None:
    service.create_replies = [reply]
    with pytest.raises(OrderError, match="may have been billed"):
        order(entrant)
    assert len(service.orders) == 1


def test_useless_answers_to_polls_are_asked_again(service: FakeService, entrant: Entrant) -> None:
    status = {"output": {"task_status": "POLISHING"}}
    service.poll_replies = [
        Reply(raw=b"<html>"),
        Reply({}, 503),
        Reply(drop=True),
        Reply(status),
        Reply({"code": "Throttling"}, 429),
    ]
    provenance = order(entrant)
    assert "'POLISHING' is not known" in provenance.warnings[0]


def test_a_poll_that_never_ends_ends_at_the_deadline_and_goes_on_later(
    service: FakeService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.polls = 10**9
    entrant = make_entrant(NAME, service, tmp_path, monkeypatch, timeout_s=0.3)
    journal = Remembering()
    with pytest.raises(OrderError, match="goes on: generate again"):
        order(entrant, journal)
    assert "unknown" not in journal.events
    with pytest.raises(OrderError, match="may have been billed"):
        order(entrant, NoJournal())  # type: ignore[arg-type]


def test_a_service_that_does_not_answer_polls_is_waited_for_until_the_deadline_only(
    service: FakeService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.poll_replies = [Reply({}, stall_s=30)] * 3
    entrant = make_entrant(NAME, service, tmp_path, monkeypatch, timeout_s=0.5)
    started = time.monotonic()
    with pytest.raises(OrderError, match="within the time limit"):
        order(entrant)
    assert time.monotonic() - started < 25


def test_a_clock_that_is_set_back_does_not_lengthen_an_order(
    service: FakeService, entrant: Entrant, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = itertools.count(2_000_000_000.0, -3600.0)
    service.polls = 3
    monkeypatch.setattr("generator.backends.api.placing.time.time", lambda: next(moments))
    provenance = order(entrant)
    assert provenance.seconds is not None
    assert 0 <= provenance.seconds < 600


def test_a_date_to_wait_for_that_has_passed_already_is_not_taken_for_now(
    service: FakeService, entrant: Entrant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placing, "RETRY_S", 0.02)
    pauses: list[float] = []
    monkeypatch.setattr(placing, "pause", pauses.append)
    past = {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}
    service.create_replies = [Reply({"code": "Throttling"}, 429, past)] * 2
    order(entrant)
    assert pauses == [0.02, 0.02]


def test_a_token_is_valid_a_little_before_now_for_clocks_that_differ() -> None:
    payload = kling_token("ak", "sk", now=1_700_000_000).split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    assert claims == {"iss": "ak", "exp": 1_700_001_800, "nbf": 1_699_999_995}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"region": "atlantis"}, "no region 'atlantis'; Alibaba Model Studio has beijing"),
        ({"model": "happyhorse-9"}, "has no model 'happyhorse-9'; use one of happyhorse-1.0"),
        ({"tier": "8K"}, "backend.tier is '8K'"),
        ({"sources_url": "ftp://example.com"}, "sources_url"),
    ],
)
def test_what_the_provider_does_not_have_is_refused_at_entry(
    entrant: Entrant, options: dict[str, str], words: str
) -> None:
    backend = entrant.backend.model_copy(update=options)
    if "region" in options:
        backend = backend.model_copy(update={"provider": NAME})  # whose regions are known
    with pytest.raises(SpecError, match=words):
        ApiBackend(entrant.model_copy(update={"backend": backend})).check(
            a_request(entrant, NoJournal()).track
        )


def test_sources_that_only_an_address_can_name_need_the_operators_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving_service(FakeService(TRANSCRIPTS["ark"], b"")) as service:
        entrant = make_entrant("ark", service, tmp_path, monkeypatch)
    track = TrackSettings.named("video-edit").model_copy(update={"width": 1280, "height": 720})
    update = {"model": "seedance-2.5", "sources_url": None}
    backend = entrant.backend.model_copy(update=update)
    with pytest.raises(SpecError, match=r"web addresses only.*backend\.sources_url"):
        ApiBackend(entrant.model_copy(update={"backend": backend})).check(track)


def test_an_upload_that_fails_orders_nothing_and_a_busy_one_is_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploading, "PAUSE_S", 0.01)
    script = TRANSCRIPTS["pixverse"]
    sourced = script.image
    assert sourced is not None
    script = replace(script, create=sourced.create or "")
    image = tmp_path / "first.png"
    Image.new("RGB", (64, 36), "red").save(image)
    with serving_service(FakeService(script, encode_master(bar_clip(1)))) as service:
        entrant = make_entrant("pixverse", service, tmp_path, monkeypatch)
        request = sourced_request(entrant, "image-to-video", image)
        (step,) = sourced.upload
        service.uploading = (replace(step, reply=Reply({"ErrCode": 0}, 503)),)
        with pytest.raises(BackendError, match="did not take the source"):
            order(entrant, request=request)
        assert len(service.uploads) == uploading.ATTEMPTS
        refused = Reply({"ErrCode": 500020, "ErrMsg": f"not an image {KEY}"}, 400)
        service.uploading = (replace(step, reply=refused),)
        with pytest.raises(BackendError, match="not an image …") as caught:
            order(entrant, request=request)
        assert KEY not in str(caught.value)
        assert service.orders == []


def test_an_image_beyond_the_services_limit_is_sent_as_jpeg(tmp_path: Path) -> None:
    image = tmp_path / "first.png"
    noise = np.random.default_rng(1).integers(0, 255, (144, 256, 3), dtype=np.uint8)
    Image.fromarray(noise).save(image)
    (entry,) = (
        each
        for each in find_provider("replicate").provider.orders
        if each.modality == "image-to-video"
    )
    request = sourced_request(entrant_of("api"), "image-to-video", image)
    small = entry.model_copy(update={"source_mib": 0.08})
    source = find_source(request, small, (256, 144), sources_url=None)
    assert source is not None
    assert source.value(small).startswith("data:image/jpeg;base64,")
    assert source.adapted == ("sent the image as JPEG",)
    smaller = entry.model_copy(update={"source_mib": 0.01})
    with pytest.raises(ClipError, match=r"the service takes 0\.01"):
        find_source(request, smaller, (256, 144), sources_url=None)


@pytest.mark.parametrize(
    "address",
    [
        "http://10.0.0.1/x.mp4",
        "https://10.0.0.1/x.mp4",
        "https://[::1]/x.mp4",
        "https://[::ffff:192.168.1.1]/x.mp4",
        "https://169.254.169.254/latest",
        "https://localhost/x.mp4",
        "file:///etc/passwd",
    ],
)
def test_a_file_is_not_fetched_from_a_private_network(
    service: FakeService, entrant: Entrant, address: str
) -> None:
    service.file_replies = [Reply(None, 302, {"Location": address})]
    with pytest.raises(OrderError, match=r"private network|not an https"):
        order(entrant)
    service.file_url = address
    with pytest.raises(OrderError, match=r"private network|not an https"):
        order(entrant)


def test_a_key_is_not_sent_over_a_redirect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = TRANSCRIPTS["gemini-veo"]
    other = FakeService(TRANSCRIPTS[NAME], encode_master(bar_clip(1)))
    with (
        serving_service(FakeService(script, other.file)) as service,
        serving_service(other),
    ):
        entrant = make_entrant("gemini-veo", service, tmp_path, monkeypatch)
        service.file_replies = [Reply(None, 302, {"Location": other.file_url})]
        order(entrant)
    assert KEY in str(service.file_requests[0].headers)
    assert KEY not in str(other.file_requests[0].headers)


def test_a_web_page_is_not_a_clip(service: FakeService, entrant: Entrant) -> None:
    service.file_replies = [Reply(raw=b"<!DOCTYPE html><p>Sign in</p>")]
    with pytest.raises(OrderError, match="web page"):
        order(entrant)


def test_a_redirect_of_the_api_is_not_followed(service: FakeService, entrant: Entrant) -> None:
    service.create_replies = [Reply({}, 307, {"Location": "http://127.0.0.1:9/"})]
    with pytest.raises(BackendError, match="HTTP 307"):
        order(entrant)
    assert len(service.requests) == 1


def test_nothing_is_sent_where_nobody_listens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving_service(FakeService(TRANSCRIPTS[NAME], b"")) as service:
        entrant = make_entrant(NAME, service, tmp_path, monkeypatch, timeout_s=0.5)
    monkeypatch.setattr(placing, "RETRY_S", 0.05)
    journal = Remembering()
    with pytest.raises(BackendError, match="cannot be reached") as caught:
        order(entrant, journal)
    assert not isinstance(caught.value, OrderError)
    assert journal.events[-1] == "rejected"
    assert journal.events.count("placing") > 1


def test_a_file_larger_than_allowed_is_not_read_to_its_end(
    service: FakeService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.file = bytes(2 * 2**20)
    entrant = make_entrant(NAME, service, tmp_path, monkeypatch, max_download_mib=1)
    with pytest.raises(OrderError, match="more than 1 MiB"):
        order(entrant)


def test_what_a_service_did_other_than_asked_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = TRANSCRIPTS["ark"]
    with serving_service(FakeService(script, encode_master(bar_clip(1)))) as service:
        entrant = make_entrant("ark", service, tmp_path, monkeypatch)
        service.final = script.done | {"resolution": "480p", "framespersecond": 30, "duration": 9}
        provenance = order(entrant)
    assert "was made with tier 480p instead of 720p" in provenance.adapted
    assert "was made with 30 frames/s instead of 24" in provenance.adapted
    assert "was made with 9 s instead of 5" in provenance.adapted
    assert provenance.dropped == {"seed": 7}


def test_a_rewritten_prompt_is_recorded(service: FakeService, entrant: Entrant) -> None:
    done = json.loads(json.dumps(TRANSCRIPTS[NAME].done))
    done["output"]["actual_prompt"] = "a large red ball on a lawn"
    service.final = done
    provenance = order(entrant)
    assert "the service rewrote the prompt" in provenance.adapted
    assert provenance.options["rewritten_prompt"] == "a large red ball on a lawn"


def test_only_pairs_of_size_and_length_that_exist_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving_service(FakeService(TRANSCRIPTS["gemini-veo"], b"")) as service:
        entrant = make_entrant("gemini-veo", service, tmp_path, monkeypatch)
    track = TrackSettings.named("text-to-video-audio").model_copy(
        update={"width": 1920, "height": 1080, "frames": 120}
    )
    request = ClipRequest(entrant=entrant, track=track, prompt_id="p", prompt="x", seed=1)
    estimate = ApiBackend(entrant).estimate(request)
    assert estimate.price_usd == pytest.approx(8 * 0.40)
    assert "asked for 8 s instead of 5 s" in estimate.adapted
    assert estimate.dropped == ("seed",)


def test_private_addresses_are_recognised() -> None:
    assert is_public("93.184.216.34")
    assert is_public("2606:2800:220:1:248:1893:25c8:1946")
    for address in ("127.0.0.1", "10.1.1.1", "169.254.169.254", "::1", "fe80::1", "224.0.0.1"):
        assert not is_public(address)
