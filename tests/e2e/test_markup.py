"""Markup in the texts of a catalog is shown literally by the API, the vote page and the board."""

import random
import re
import time
from collections.abc import Iterator
from itertools import product
from urllib.parse import quote_plus

import httpx
import pytest
from playwright.sync_api import Page, expect

from arena.catalog.schemas import EntrantEntry, PromptEntry
from arena.voting.limits import VotingRules
from arena.voting.schemas import IssuedBattle
from playable import TRACK, make_playable_arena, served
from small_arena import Booth, entrant_entry, track_entry

API = "/api/v1"
MARKDOWN = "**b** $x^2$ :smile: [l](javascript:alert())"
IMAGE = "<img src=x onerror=alert()>"
SCRIPT = "</script><script>alert()</script>"
PROMPT = f"A fox {IMAGE} {SCRIPT} <b onmouseover=alert()>jumps</b> {MARKDOWN} &amp; 'q' \"d\""
CATEGORY = f'{IMAGE} {MARKDOWN} " \u732b'
CREATOR = f"{SCRIPT} {MARKDOWN}"
LICENCE = f"<i>MIT</i> {IMAGE} & co"
NAMES = (f"Alder {IMAGE} {MARKDOWN}", f"{SCRIPT} Birch `code` # h")
CODENAME = f"<svg onload=alert()> {MARKDOWN}"
SHOWN = {*NAMES, CODENAME}
INJECTED = "img[src='x'], svg[onload], b[onmouseover], a[href^='javascript:']"


def entrant(name: str, slug: str, **values: object) -> EntrantEntry:
    return entrant_entry(
        name, slug=slug, creator=CREATOR, licence=LICENCE, tracks=(TRACK,), **values
    )


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("arena")
    entrants = [entrant(name, f"entrant-{number}") for number, name in enumerate(NAMES)]
    entrants.append(entrant("Secret", "secret", codename=CODENAME))
    prompts = [
        PromptEntry(id=f"p-{number}", text=PROMPT, categories=(CATEGORY,), tracks=(TRACK,))
        for number in range(4)
    ]
    arena = make_playable_arena(home, entrants=entrants, prompts=prompts)
    rng = random.Random(0)
    for number in range(3):
        booth = Booth(
            arena.database, key=f"{number}" * 32, track=TRACK, rules=VotingRules(watch_time=False)
        )
        battle: IssuedBattle | None = booth.ask()
        while battle is not None:
            battle = booth.cast(battle.token, rng.choice(["a", "b", "tie", "bad"])).next
    arena.database.dispose()
    with served(home) as url:
        yield url


@pytest.fixture
def scripts(page: Page) -> list[str]:
    """What ran or failed that should not: dialogs, and refusals by the security policy."""
    ran: list[str] = []
    page.on("dialog", lambda dialog: (ran.append(dialog.message), dialog.dismiss()))
    page.on(
        "console",
        lambda message: (
            ran.append(message.text) if "Content Security Policy" in message.text else None
        ),
    )
    return ran


def vote(client: httpx.Client, battle: dict[str, str], choice: str) -> dict[str, object]:
    response = client.post(f"{API}/battles/{battle['token']}/vote", json={"choice": choice})
    assert response.status_code == 200, response.text
    return dict(response.json())


def test_the_api_returns_markup_literally_as_json(address: str) -> None:
    with httpx.Client(base_url=address) as client:
        battle = client.post(f"{API}/battles", json={"track": TRACK}).json()
        assert battle["prompt"]["text"] == PROMPT
        assert battle["prompt"]["categories"] == [CATEGORY]
        time.sleep(battle["min_watch_ms"] / 1000)
        reveal = vote(client, battle, "a")["reveal"]
        assert isinstance(reveal, dict)
        assert {reveal["a"]["name"], reveal["b"]["name"]} < SHOWN
        assert {reveal["a"]["creator"], reveal["b"]["creator"]} <= {CREATOR, None}
        tracks = {track["name"]: track for track in client.get(f"{API}/tracks").json()}
        assert CATEGORY in tracks[TRACK]["categories"]
        query = {"track": TRACK, "category": CATEGORY}
        for path in ("leaderboard", "production"):
            response = client.get(f"{API}/{path}", params=query)
            assert response.headers["content-type"] == "application/json"
            rows = response.json() if path == "production" else response.json()["rows"]
            assert {row["model"] for row in rows} == SHOWN
        csv = client.get(f"{API}/leaderboard", params=query | {"format": "csv"})
        assert csv.status_code == 200
        assert csv.headers["content-disposition"].startswith("attachment; filename")
        error = client.get(f"{API}/leaderboard", params={"track": IMAGE})
        assert (error.status_code, error.headers["content-type"]) == (
            404,
            "application/problem+json",
        )
        assert IMAGE in error.json()["detail"]


def test_the_vote_page_shows_markup_literally(page: Page, address: str, scripts: list[str]) -> None:
    page.goto(address)
    expect(page.get_by_text("You can vote now")).to_be_visible()
    expect(page.locator(".prompt")).to_have_text(PROMPT)
    with page.expect_response(lambda answer: answer.url.endswith("/vote")) as answered:
        page.keyboard.press("ArrowLeft")
    reveal = answered.value.json()["reveal"]
    for side in ("a", "b"):
        expect(page.locator(f"[data-reveal={side}] .model")).to_have_text(reveal[side]["name"])
        expect(page.locator(".last-result")).to_contain_text(reveal[side]["name"])
    assert page.locator(INJECTED).count() == 0
    assert scripts == []


def test_the_leaderboard_shows_markup_literally(
    page: Page, address: str, scripts: list[str]
) -> None:
    page.goto(f"{address}/leaderboard?track={TRACK}")
    names = page.locator(".ranked tbody th b")
    expect(names).to_have_count(len(SHOWN))
    assert set(names.all_inner_texts()) == SHOWN
    details = set(page.locator(".ranked tbody th small").all_inner_texts())
    maker = f"{CREATOR} · {LICENCE} · one of 2 models of its maker"
    assert details == {maker, "runs under a codename"}
    costs = page.locator(".board:not(.ranked) tbody th b")
    expect(costs).to_have_count(len(SHOWN))  # this table comes after the other
    assert set(costs.all_inner_texts()) == SHOWN

    page.get_by_role("combobox").click()
    option = page.get_by_role("option").last
    expect(option).to_have_text(CATEGORY.capitalize())
    option.click()
    link = page.get_by_role("link", name="CSV")
    expect(link).to_have_attribute("href", re.compile(re.escape(quote_plus(CATEGORY))))

    shown = tooltips(page, 1)
    assert any(name in text for name in SHOWN for text in shown), shown
    assert page.locator(INJECTED).count() == 0
    assert scripts == []


def tooltips(page: Page, index: int) -> set[str]:
    """The texts shown when the mouse moves over a chart; Vega writes them as HTML."""
    chart = page.get_by_test_id("stVegaLiteChart").nth(index).locator("canvas, svg.marks").first
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box is not None
    texts = set()
    for across, down in product(range(1, 12), range(1, 12)):
        page.mouse.move(box["x"] + box["width"] * across / 12, box["y"] + box["height"] * down / 12)
        tooltip = page.locator("#vg-tooltip-element.visible")
        if tooltip.count():
            texts.add(tooltip.inner_text())
    return texts


def test_a_track_cannot_be_named_with_markup() -> None:
    with pytest.raises(ValueError, match="pattern"):
        track_entry(IMAGE)
