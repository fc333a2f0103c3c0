"""Faults of paid services, through `arena generate`: one sentence each, and nothing is lost."""

import json
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from killed_orders import order_states, produce
from paid_arena import TRACK, make_paid_arena
from sqlalchemy import select
from typer.testing import CliRunner

from arena import production
from arena.catalog.prompts import import_prompts
from arena.catalog.schemas import PromptEntry
from arena.commands.bills import Budget
from arena.commands.cli import app
from arena.commands.generating import generate_missing
from arena.context import Arena
from arena.errors import ProductionError
from arena.models import Clip, ClipOrder, ClipStatus, OrderState
from fake_services import KEY, TRANSCRIPTS, FakeService, Reply, serving_service
from generator.clips import GeneratedClip
from generator.media import encode_master
from playable import bar_clip
from small_arena import START

LONG = 2501  # characters, one more than the service takes
ESCAPED_KEY = "".join(f"\\u{ord(letter):04x}" for letter in KEY)


@pytest.fixture(scope="module")
def video_file() -> bytes:
    return encode_master(bar_clip(1))


@pytest.fixture
def service(video_file: bytes) -> Iterator[FakeService]:
    with serving_service(FakeService(TRANSCRIPTS["dashscope"], video_file)) as running:
        yield running


@pytest.fixture
def arena(tmp_path: Path, service: FakeService, monkeypatch: pytest.MonkeyPatch) -> Arena:
    return make_paid_arena(tmp_path, service, monkeypatch, timeout_s=3.0)


def generate(arena: Arena) -> str:
    """Have one clip made, as `arena generate --limit 1 --yes`; return what it fails with."""
    try:
        generate_missing(arena, workers=0, limit=1, budget=Budget(yes=True))
    except ProductionError as error:
        return str(error)
    return ""


def failed_clips(arena: Arena) -> list[Clip]:
    with arena.database.reading() as session:
        return list(session.scalars(select(Clip).where(Clip.status == ClipStatus.FAILED)))


def pending_prompts(arena: Arena) -> set[str]:
    with arena.database.reading() as session:
        pending = production.find_pending(session, seed_key="key")
    return {item.request.prompt_id for item in pending}


Setup = Callable[[FakeService, pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Fault:
    """What goes wrong, and what must become of the clip.

    Attributes:
        set_up: makes it go wrong.
        words: in the clip's reason.
        state: of the order; None: there is none.
        sent: number of orders that the service got.
        again: whether a later run continues the order, or orders the clip again, by itself.
    """

    set_up: Setup
    words: str
    state: OrderState | None
    sent: int = 1
    again: bool = True


def _replies(queue: str, times: int, **reply: object) -> Setup:
    one = Reply(**reply)  # type: ignore[arg-type]
    return lambda service, _: setattr(service, queue, [one] * times)


def answers(data: object, status: int = 200, **more: object) -> Setup:
    """The service answers the order so."""
    return _replies("create_replies", 1, data=data, status=status, **more)


def polls(**reply: object) -> Setup:
    """The service answers every poll so."""
    return _replies("poll_replies", 1000, **reply)


def file_is(**reply: object) -> Setup:
    """The service answers requests for the file so."""
    return _replies("file_replies", 5, **reply)


def never_resolves(_: FakeService, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)


FAULTS = {
    "key of another region": Fault(
        answers({"code": "InvalidApiKey", "message": "Invalid API-key provided."}, 401),
        "of this region",
        OrderState.REJECTED,
    ),
    "no money": Fault(
        answers({"code": "Arrearage", "message": "overdue"}, 402),
        "no money left",
        OrderState.REJECTED,
    ),
    "quota": Fault(
        answers({"code": "Throttling.AllocationQuota", "message": "used up"}, 429),
        "a quota is used up",
        OrderState.REJECTED,
    ),
    "unknown model": Fault(
        answers({"code": "ModelNotFound", "message": "Model not exist."}, 404),
        "check backend.model",
        OrderState.REJECTED,
    ),
    "order not JSON": Fault(
        answers(None, raw=b"<p>down</p>"),
        "the answer is not JSON",
        OrderState.UNKNOWN,
        again=False,
    ),
    "5 MB of JSON": Fault(
        answers(None, raw=b'"' + b"x" * 5_000_000 + b'"'),
        "more than 4 MiB of JSON",
        OrderState.UNKNOWN,
        again=False,
    ),
    "connection dropped": Fault(
        answers(None, drop=True), "may have been billed", OrderState.UNKNOWN, again=False
    ),
    "name of the host unknown": Fault(
        never_resolves, "cannot be reached", OrderState.REJECTED, sent=0
    ),
    "polls not JSON": Fault(polls(raw=b"no"), "the answer is not JSON", OrderState.ACCEPTED),
    "polls of 5 MB": Fault(
        polls(raw=b'"' + b"x" * 5_000_000 + b'"'), "more than 4 MiB of JSON", OrderState.ACCEPTED
    ),
    "unknown status": Fault(
        polls(data={"output": {"task_status": "POLISHING"}}),
        "did not finish within the time limit",
        OrderState.ACCEPTED,
    ),
    "poll that never ends": Fault(
        polls(data={"output": {"task_status": "RUNNING"}}),
        "did not finish within the time limit",
        OrderState.ACCEPTED,
    ),
    "HTML instead of the file": Fault(
        file_is(raw=b"<!DOCTYPE html><p>Sign in</p>"), "a web page", OrderState.ACCEPTED
    ),
    "redirect into a private network": Fault(
        file_is(status=302, headers={"Location": "https://192.168.0.1/x.mp4"}),
        "a private network",
        OrderState.ACCEPTED,
    ),
    "key in an error": Fault(
        answers({"code": "InvalidApiKey", "message": f"Bad {KEY}"}, 401),
        "Bad …",
        OrderState.REJECTED,
    ),
    "key in an error, escaped": Fault(
        answers(
            None, 401, raw=f'{{"code": "InvalidApiKey", "message": "Bad {ESCAPED_KEY}"}}'.encode()
        ),
        "Bad …",
        OrderState.REJECTED,
    ),
    "unknown id": Fault(
        polls(data={"output": {"task_id": "t-1", "task_status": "UNKNOWN"}}),
        "does not know the order any more",
        OrderState.UNKNOWN,
        again=False,
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_one_sentence_and_the_clip_is_kept_for_later(
    name: str,
    arena: Arena,
    service: FakeService,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    fault = FAULTS[name]
    caplog.set_level("DEBUG")
    fault.set_up(service, monkeypatch)
    said = generate(arena)
    assert "1 clip failed (see `arena failures`)" in said
    (clip,) = failed_clips(arena)
    reason = str(clip.failure)
    assert fault.words in reason
    assert reason in said
    assert "\n" not in reason
    assert reason.endswith((".", "…"))
    assert len(service.orders) == fault.sent
    assert order_states(arena) == ([] if fault.state is None else [fault.state])
    assert clip.maybe_billed == (fault.state in (OrderState.UNKNOWN, OrderState.ACCEPTED))
    assert (clip.prompt_id in pending_prompts(arena)) == fault.again
    with arena.database.reading() as session:
        stored = [f"{order.reason} {order.request}" for order in session.scalars(select(ClipOrder))]
    for text in (said, caplog.text, reason, *stored):
        assert KEY not in text
        assert ESCAPED_KEY not in text


def test_without_a_key_nothing_is_sent_and_the_clip_stays_missing(
    arena: Arena, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DASHSCOPE_API_KEY")
    assert "DASHSCOPE_API_KEY is not set" in generate(arena)
    assert failed_clips(arena) == []
    assert pending_prompts(arena) == {"p0", "p1", "p2"}
    assert service.requests == []


def test_what_a_service_is_still_making_is_fetched_later_without_another_order(
    arena: Arena, service: FakeService
) -> None:
    FAULTS["unknown status"].set_up(service, pytest.MonkeyPatch())
    assert "goes on" in generate(arena)
    service.poll_replies = []
    assert generate(arena) == ""
    assert len(service.orders) == 1
    assert order_states(arena) == [OrderState.RECEIVED]


def test_a_prompt_beyond_the_limit_is_refused_with_its_length(
    arena: Arena, service: FakeService
) -> None:
    with arena.database.writing() as session:
        long = PromptEntry(id="a-long-one", text="x" * LONG, tracks=(TRACK,))
        import_prompts(session, [long], now=START)
    assert "has 2,501 characters and happyhorse-1.0 takes 2,500" in generate(arena)
    assert service.requests == []


def test_a_lost_answer_is_listed_with_its_time(arena: Arena, service: FakeService) -> None:
    FAULTS["connection dropped"].set_up(service, pytest.MonkeyPatch())
    generate(arena)
    listed = CliRunner().invoke(app, ["orders", "--format", "json"])
    (row,) = json.loads(listed.output)
    assert row["state"] == "unknown"
    assert re.search(r"order of \d\d:\d\d:\d\dZ is unknown, may have been billed", row["reason"])


def test_what_identifies_an_order_is_stored_before_the_first_poll(
    arena: Arena, service: FakeService
) -> None:
    seen: list[tuple[str | None, dict[str, object]]] = []
    answer = service.answer

    def looking(request: object, **more: bool) -> Reply:
        if getattr(request, "method", "") == "GET" and not seen:
            with arena.database.reading() as session:
                (order,) = session.scalars(select(ClipOrder))
                seen.append((order.order_id, order.request))
        return answer(request, **more)  # type: ignore[arg-type]

    service.answer = looking  # type: ignore[method-assign, assignment]
    (clip,) = produce(arena, count=1)
    assert isinstance(clip, GeneratedClip)
    ((order_id, request),) = seen
    assert order_id == "t-1"
    text = json.dumps(request)
    assert "a horse" in text
    assert '"seed"' in text
    assert re.search(r'"provider_sha256": "[0-9a-f]{64}"', text)


def test_a_provider_that_has_ended_is_refused_at_entry_and_later(
    arena: Arena, service: FakeService, tmp_path: Path
) -> None:
    path = tmp_path / "dashscope.toml"
    path.write_text(f"ends = 2026-01-01\n{path.read_text(encoding='utf-8')}", encoding="utf-8")
    assert "ended on 2026-01-01" in generate(arena)
    assert service.requests == []
    entry = tmp_path / "late.toml"
    entry.write_text(
        f'name = "Late"\ncreator = "Grove"\nlicence = "none"\ntracks = ["{TRACK}"]\n[backend]\n'
        'kind = "api"\nprovider = "./dashscope.toml"\nmodel = "happyhorse-1.0"\n',
        encoding="utf-8",
    )
    host = service.api.removeprefix("http://")
    words = ["entrants", "add", str(entry), "--trust-host", host]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1
    assert "ended on 2026-01-01" in result.output + str(result.exception)


def test_a_misspelled_key_of_a_provider_file_is_refused_with_its_line_when_it_is_entered(
    arena: Arena, service: FakeService, tmp_path: Path
) -> None:
    path = tmp_path / "dashscope.toml"
    lines = path.read_text(encoding="utf-8").splitlines()
    number = next(n for n, line in enumerate(lines) if line.startswith("waiting"))
    lines[number] = lines[number].replace("waiting", "wating")
    path.write_text("\n".join(lines), encoding="utf-8")
    said = generate(arena)
    assert f"line {number + 1}," in said
    assert "wating" in said
    assert service.requests == []


def test_an_order_that_is_agreed_to_needs_no_terminal(arena: Arena, service: FakeService) -> None:
    with pytest.raises(ProductionError, match="use --yes or --max-usd N"):
        generate_missing(arena, workers=0, budget=Budget())
    with pytest.raises(ProductionError, match=r"3 clips for 1\.26 US dollars"):
        generate_missing(arena, workers=0, budget=Budget())
    assert service.requests == []
    assert not generate_missing(arena, workers=0, budget=Budget(max_usd=0.0))
    assert service.requests == []
    assert generate_missing(arena, workers=0, budget=Budget(max_usd=0.42))
    assert len(service.orders) == 1
    assert generate_missing(arena, workers=0, budget=Budget(yes=True))
    assert len(service.orders) == 3
