"""The vote page in a browser: sizes, sources, sound, broken clips, prompts, keys and the end."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, ViewportSize, expect
from vote_page_arena import (
    EDIT,
    FAULTS,
    IMAGE,
    LONG_PROMPT,
    SILENT,
    SOUND,
    TEXTS,
    make_vote_page_arena,
)

from playable import served

LAPTOP = ViewportSize(width=1366, height=768)
DESKTOP = ViewportSize(width=1920, height=1080)
PHONE = ViewportSize(width=360, height=740)
TABLET = ViewportSize(width=768, height=1024)
LANDSCAPE = ViewportSize(width=844, height=390)
WAIT_MS = 60_000
READY = "[data-phase=ready]"
MEASURE_SHIFTS = """
  window.shifts = [];
  new PerformanceObserver((list) => window.shifts.push(...list.getEntries().map((shift) => ({
    time: shift.startTime, value: shift.value,
  })))).observe({ type: "layout-shift", buffered: true });
"""
# Every text of the status, however short it is shown.
RECORD_STATUSES = """
  window.statuses = [];
  new MutationObserver(() => {
    const text = document.querySelector(".status")?.textContent;
    if (text && text !== statuses.at(-1)) statuses.push(text);
  }).observe(document, { childList: true, characterData: true, subtree: true });
"""
BOXES = """[...document.querySelectorAll(".frame")].map((frame) => {
  const { x, y, width, height } = frame.getBoundingClientRect();
  return { x, y, width, height };
})"""
VIDEO_TIMES = """[...document.querySelectorAll("video.front")].map((video) => video.currentTime)"""
HEARD = """[...document.querySelectorAll(".side video.front")].map((video) => !video.muted)"""

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("arena")
    make_vote_page_arena(home).database.dispose()
    with served(home) as url:
        yield url


@pytest.fixture
def open_page(browser: Browser, address: str) -> Iterator[Open]:
    """Opens the vote page as a new voter."""
    contexts = []

    def open_vote_page(
        track: str,
        *,
        size: ViewportSize = LAPTOP,
        touch: bool = False,
        prepare: Callable[[Page], object] = lambda _page: None,
        **settings: object,
    ) -> Page:
        context = browser.new_context(viewport=size, has_touch=touch, is_mobile=touch)
        context.set_default_timeout(WAIT_MS)
        contexts.append(context)
        page = context.new_page()
        page.add_init_script(MEASURE_SHIFTS + RECORD_STATUSES)
        stored = {"showNames": "false", "track": f'"{track}"'} | settings
        for name, value in stored.items():
            page.add_init_script(f"localStorage['hippodrome.{name}'] ??= '{value}'")
        prepare(page)
        page.goto(address)
        return page

    yield open_vote_page
    for context in contexts:
        context.close()


def can_vote(page: Page) -> None:
    expect(page.locator(READY)).to_be_visible()


def has_said(page: Page, text: str) -> None:
    """Wait until the status has shown a text, which others may have replaced."""
    page.wait_for_function("(text) => statuses.some((said) => said.includes(text))", arg=text)


def vote(page: Page, key: str = "ArrowLeft") -> dict[str, Any]:
    """Vote by key and return the request's body."""
    with page.expect_request(lambda request: request.url.endswith("/vote")) as sent:
        page.keyboard.press(key)
    return dict(sent.value.post_data_json)


def skip(page: Page) -> None:
    with page.expect_response(lambda answer: answer.url.endswith("/vote")):
        page.keyboard.press("x")


def inside(page: Page, selector: str) -> bool:
    """Whether every such element lies in the window as a whole."""
    return bool(
        page.locator(selector).evaluate_all(
            """(elements) => elements.length > 0 && elements.every((element) => {
              const { top, left, bottom, right, width } = element.getBoundingClientRect();
              return width > 0 && top >= 0 && left >= 0 && bottom <= innerHeight + 0.5
                && right <= innerWidth + 0.5;
            })"""
        )
    )


@pytest.mark.parametrize(
    ("size", "track", "share"),
    [(LAPTOP, SILENT, 0.45), (LAPTOP, IMAGE, 0.45), (DESKTOP, EDIT, 0.4)],
)
def test_both_clips_fill_the_window_at_one_size_and_nothing_moves(
    open_page: Open, size: ViewportSize, track: str, share: float
) -> None:
    page = open_page(track, size=size)
    can_vote(page)
    boxes = page.evaluate(BOXES)
    area = sum(box["width"] * box["height"] for box in boxes)
    assert area >= share * size["width"] * size["height"], boxes
    assert inside(page, ".frame, .vote, [data-input=skip]")
    loaded = page.evaluate("performance.now()")
    vote(page)
    expect(page.locator(".count")).to_have_text("1 vote")
    expect(page.locator(".count")).to_have_attribute("href", re.compile(r"/me$"))
    can_vote(page)
    assert page.evaluate(BOXES) == boxes
    shifts = page.evaluate("shifts")
    assert sum(shift["value"] for shift in shifts) <= 0.1
    assert [shift for shift in shifts if shift["time"] > loaded] == []


def test_a_clip_is_at_least_300_pixels_wide_on_a_phone(open_page: Open) -> None:
    page = open_page(SOUND, size=PHONE)
    can_vote(page)
    assert all(box["width"] >= 300 for box in page.evaluate(BOXES))
    assert inside(page, ".frame, .vote, [data-input=skip], .prompt, .status")


@pytest.mark.parametrize("size", [PHONE, TABLET, LANDSCAPE, LAPTOP])
def test_the_header_names_the_arena_links_its_pages_and_chooses_tracks_in_every_window(
    open_page: Open, size: ViewportSize
) -> None:
    page = open_page(SILENT, size=size)
    page.wait_for_selector("[data-phase=watching], [data-phase=ready]")
    header = page.locator(".toolbar")
    for name in ("Hippodrome", "Leaderboard", "About"):
        expect(header.get_by_role("link", name=name)).to_be_visible()
    shown = ".toolbar .brand-name, .toolbar .link:visible, .toolbar [data-input=help]"
    assert inside(page, shown)
    page.locator(".toolbar .count").evaluate(
        "(count) => { count.hidden = false; count.textContent = '128 votes' }"
    )
    assert inside(page, shown)
    cut = "(name) => name.scrollWidth > name.clientWidth"
    assert not page.locator(".brand-name").evaluate(cut)
    if size is PHONE or size is TABLET:
        page.get_by_role("combobox", name="Track").select_option(SOUND)
    else:
        page.get_by_role("button", name="With sound").click()
    page.wait_for_selector(f"[data-track={SOUND}]")


def test_a_source_is_shown_in_large_when_it_is_pressed(open_page: Open) -> None:
    page = open_page(EDIT, size=PHONE)
    page.wait_for_selector("[data-phase=watching], [data-phase=ready]")
    page.get_by_role("button", name="Source video: show it larger").click()
    large = page.get_by_role("dialog").locator("video")
    expect(large).to_be_visible()
    page.wait_for_function("document.querySelector('.large').currentTime > 0")
    assert large.evaluate("(video) => video.getBoundingClientRect().width") >= 300
    assert page.evaluate("[...document.querySelectorAll('video.front')].every((v) => v.paused)")
    page.keyboard.press("Escape")
    expect(large).to_be_hidden()
    can_vote(page)


def test_full_screen_shows_larger_clips_and_no_toolbar(open_page: Open) -> None:
    page = open_page(SILENT)
    can_vote(page)
    width = page.evaluate(BOXES)[0]["width"]
    page.keyboard.press("f")
    expect(page.locator(".duel.fullscreen")).to_be_visible()
    expect(page.locator(".toolbar")).to_be_hidden()
    assert page.evaluate(BOXES)[0]["width"] > width
    assert inside(page, ".frame, .vote, [data-input=skip]")


def test_the_first_image_stands_with_both_clips(open_page: Open) -> None:
    page = open_page(IMAGE)
    can_vote(page)
    image = page.locator("img.source-media.front")
    expect(image).to_be_visible()
    assert image.evaluate("(element) => element.naturalWidth") > 0
    expect(page.locator(".source figcaption")).to_have_text("First image")
    assert inside(page, ".source-frame, .frame")


def test_the_source_video_plays_muted_and_in_step(open_page: Open) -> None:
    page = open_page(EDIT, prepare=lambda page: page.add_init_script(RECORD_TIMES))
    can_vote(page)
    expect(page.locator(".source figcaption")).to_have_text("Source video")
    assert page.locator("video.source-media.front").evaluate("(video) => video.muted")
    assert inside(page, ".source-frame, .frame")
    page.wait_for_function(IN_STEP)


IN_STEP = """() => {
  const spreads = times.slice(-20).map((each) => Math.max(...each) - Math.min(...each));
  return spreads.length === 20 && spreads.sort((a, b) => a - b)[10] < 0.1;
}"""
RECORD_TIMES = f"""
  window.times = [];
  const record = () => {{
    const times = {VIDEO_TIMES};
    const playing = times.every((time) => time > 0 && time < 0.9);
    if (times.length === 3 && playing) window.times.push(times);
    requestAnimationFrame(record);
  }};
  requestAnimationFrame(record);
"""


def test_with_sound_a_vote_needs_both_clips_seen_and_heard(open_page: Open) -> None:
    page = open_page(SOUND)
    # Both have been seen once, and only one of them was heard.
    assert page.wait_for_function(VOTE_WHEN_BOTH_WERE_SEEN).json_value() == "1 heard"
    has_said(page, "Listen to clip")
    can_vote(page)
    expect(page.locator("[data-mark=heard].complete")).to_have_count(2)
    body = vote(page)
    assert min(*body["heard_ms"].values(), *body["watched_ms"].values()) >= 900, body
    assert "picture_only" not in body


# All of it in the page at once: the other clip is heard only a second later.
VOTE_WHEN_BOTH_WERE_SEEN = """() => {
  const count = (mark) => document.querySelectorAll(`[data-mark=${mark}].complete`).length;
  if (count("watched") < 2) return null;
  document.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft", bubbles: true }));
  return `${count("heard")} heard`;
}"""


def test_the_side_that_sounds_is_marked_on_its_frame_and_switched_by_key_and_click(
    open_page: Open,
) -> None:
    page = open_page(SOUND)
    can_vote(page)
    for switch in (
        lambda: page.locator("[data-sound=a]").click(),
        lambda: page.locator("[data-sound=b]").click(),
        lambda: page.keyboard.press("s"),
    ):
        switch()
        heard = page.evaluate(HEARD)
        assert heard.count(True) == 1
        side, other = ("a", "b") if heard[0] else ("b", "a")
        audible = page.locator(f"[data-side={side}]")
        expect(audible).to_have_class("side audible")
        expect(audible.locator(".sound")).to_contain_text(f"You hear {side.upper()}")
        expect(page.locator(f"[data-side={other}] .sound")).to_contain_text("Muted")
        border = "(frame) => getComputedStyle(frame, '::after').borderTopWidth"
        assert audible.locator(".frame").evaluate(border) == "4px"


def test_who_cannot_hear_says_so_once_and_votes_on_the_pictures(open_page: Open) -> None:
    page = open_page(SOUND)
    page.wait_for_selector("[data-phase=watching], [data-phase=ready]")
    page.get_by_role("button", name="I cannot hear sound").click()
    can_vote(page)
    assert page.evaluate(HEARD) == [False, False]
    assert vote(page)["picture_only"] is True
    page.reload()
    expect(page.locator(".prompt-label")).to_contain_text("Picture only")
    can_vote(page)
    assert vote(page)["picture_only"] is True
    can_vote(page)
    page.get_by_role("button", name="I can hear").click()
    expect(page.locator(".prompt-label")).not_to_contain_text("Picture only")


def gone(route: Route) -> None:
    route.fulfill(status=404, body="gone")


def garbled(route: Route) -> None:
    route.fulfill(status=200, content_type="video/mp4", body=b"not a video" * 100)


def cut_off(route: Route) -> None:
    route.abort("connectionreset")


def note_reports(page: Page, reports: list[dict[str, Any]]) -> None:
    """Add what the page reports of clips that do not play."""
    page.on(
        "request",
        lambda request: (
            reports.append(request.post_data_json) if request.url.endswith("/broken") else None
        ),
    )


@pytest.mark.parametrize("fault", [gone, garbled, cut_off])
def test_a_clip_that_does_not_play_is_reported_and_the_next_pair_starts(
    open_page: Open, fault: Callable[[Route], None]
) -> None:
    reports: list[dict[str, Any]] = []
    broken: list[str] = []

    def intercept(route: Route) -> None:
        if not broken:
            broken.append(route.request.url)
        if route.request.url == broken[0] and not reports:
            return fault(route)
        route.continue_()

    def prepare(page: Page) -> None:
        page.route("**/clip/**", intercept)
        note_reports(page, reports)

    page = open_page(FAULTS, prepare=prepare)
    has_said(page, "could not be played")
    expect(page.locator(".status")).to_have_attribute("role", "status")
    can_vote(page)
    assert [report["side"] in ("a", "b") for report in reports] == [True]
    assert 0 < len(reports[0]["reason"]) <= 200


def test_a_source_that_does_not_load_is_reported_too(open_page: Open) -> None:
    def intercept(route: Route) -> None:
        if route.request.resource_type == "image":
            return garbled(route)
        route.continue_()

    def prepare(page: Page) -> None:
        page.route("**/clip/**", intercept)
        note_reports(page, reports)

    reports: list[dict[str, Any]] = []
    page = open_page(IMAGE, prepare=prepare)
    has_said(page, "could not be played")
    assert reports[0]["side"] == "source"


def test_without_a_connection_the_pair_is_kept_and_starts_later(open_page: Open) -> None:
    paths = ("**/clip/**", "**/healthz")
    reports = []

    def prepare(page: Page) -> None:
        for path in paths:
            page.route(path, lambda route: route.abort("internetdisconnected"))
        page.on("request", lambda request: reports.append(request.url))

    page = open_page(SILENT, prepare=prepare)
    expect(page.locator(".status")).to_contain_text("No connection")
    expect(page.locator("[data-input=skip]")).to_be_visible()
    prompt = page.locator(".prompt").inner_text()
    for path in paths:
        page.unroute(path)
    can_vote(page)
    assert page.locator(".prompt").inner_text() == prompt
    assert not [url for url in reports if url.endswith("/broken")]


def test_prompts_of_any_length_keep_the_clips_in_place(open_page: Open) -> None:
    page = open_page(SILENT)
    seen = {}
    for _ in TEXTS[SILENT]:
        page.wait_for_selector("[data-phase=watching], [data-phase=ready]")
        prompt = page.locator(".prompt").text_content()
        seen[prompt] = page.evaluate(BOXES)
        assert inside(page, ".frame, .prompt-area")
        if prompt == LONG_PROMPT:
            read_whole_prompt(page)
        skip(page)
        page.wait_for_function(
            """(prompt) => document.querySelector("[data-phase=message]") !== null
                || document.querySelector(".prompt")?.textContent !== prompt""",
            arg=prompt,
        )
    assert set(seen) == set(TEXTS[SILENT])
    assert all(boxes == seen[LONG_PROMPT] for boxes in seen.values())


def read_whole_prompt(page: Page) -> None:
    page.get_by_role("button", name="more").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(LONG_PROMPT.strip())
    expect(dialog.locator(".text")).to_have_attribute("dir", "auto")
    assert page.evaluate("[...document.querySelectorAll('video.front')].every((v) => v.paused)")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_clips_outside_the_window_do_not_count_as_watched(open_page: Open) -> None:
    page = open_page(SILENT, size=ViewportSize(width=300, height=100))
    page.wait_for_function(f"{VIDEO_TIMES}.every((time) => time > 0.5)")
    assert page.locator("[data-mark=watched][aria-valuenow='0']").count() == 2
    page.set_viewport_size(LAPTOP)
    can_vote(page)


def test_enter_votes_and_keeps_the_focus_for_the_next_pair(open_page: Open) -> None:
    page = open_page(SILENT, showNames="true")
    button = page.get_by_role("button", name="B is better")
    for _ in range(2):
        can_vote(page)
        button.focus()
        assert vote(page, "Enter")["choice"] == "b"
        page.wait_for_selector("[data-phase=revealed]")
        page.keyboard.press("Enter")
        expect(button).to_be_focused()


def test_the_last_result_moves_nothing(open_page: Open) -> None:
    page = open_page(SILENT)
    can_vote(page)
    boxes = page.evaluate(BOXES)
    vote(page)
    expect(page.locator(".last-result")).to_contain_text("Last pair")
    assert page.evaluate(BOXES) == boxes


LONG_NAME = "A Model of the Institute, Version 2.5 Turbo Preview"
LONG_CREATOR = "The Institute for Moving Pictures and Synchronised Sound of the North"


def test_long_names_and_creators_are_shown_whole_after_a_vote_and_move_nothing(
    open_page: Open,
) -> None:
    revealed = {"name": LONG_NAME, "creator": LONG_CREATOR, "rating": 1234.5}

    def rename(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(
            response=answer, json=answer.json() | {"reveal": dict.fromkeys("ab", revealed)}
        )

    page = open_page(SILENT, showNames="true", prepare=lambda page: page.route("**/vote", rename))
    can_vote(page)
    boxes = page.evaluate(BOXES)
    loaded = page.evaluate("performance.now()")
    vote(page)
    page.wait_for_selector("[data-phase=revealed]")
    for text in (*page.locator(".model-info").all(), page.locator(".status")):
        expect(text).to_contain_text(LONG_NAME)
        assert not text.evaluate(IS_CUT)
    expect(page.locator(".model-info").first).to_contain_text(f"{LONG_CREATOR} · Elo 1235")
    page.keyboard.press("Enter")
    can_vote(page)
    expect(page.locator(".last-result")).to_contain_text(LONG_NAME)
    assert not page.locator(".last-result").evaluate(IS_CUT)
    assert page.evaluate(BOXES) == boxes
    assert [shift for shift in page.evaluate("shifts") if shift["time"] > loaded] == []


IS_CUT = """(element) => [element, ...element.children].some((part) => part.clientWidth > 0
  && (part.scrollWidth > part.clientWidth + 1 || part.scrollHeight > part.clientHeight + 1))"""


def test_the_end_says_what_the_voter_contributed_and_what_is_next(open_page: Open) -> None:
    page = open_page(IMAGE)
    for _ in TEXTS[IMAGE]:
        can_vote(page)
        with page.expect_response(lambda answer: answer.url.endswith("/vote")):
            page.keyboard.press("ArrowRight")
    end = page.get_by_role("alert")
    expect(end).to_contain_text("You have seen every pair in this track")
    expect(end).to_contain_text("You have cast 2 votes")
    end.get_by_role("button", name="Vote on").first.click()
    can_vote(page)


def test_the_first_visit_explains_the_page_and_help_shows_the_keys(open_page: Open) -> None:
    page = open_page(SILENT)
    expect(page.locator(".prompt-label")).to_contain_text("Blind test: two models, one prompt")
    expect(page.get_by_role("link", name="Hippodrome")).to_be_visible()
    can_vote(page)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Both bad")
    page.keyboard.press("Escape")
    vote(page)
    can_vote(page)
    expect(page.locator(".prompt-label")).to_have_text("Prompt")


def test_tracks_are_chosen_by_what_is_given_and_by_sound(open_page: Open) -> None:
    page = open_page(SILENT)
    can_vote(page)
    for name, label in (
        (IMAGE, "Image to video"),
        (SILENT, "Text to video"),
        (SOUND, "With sound"),
    ):
        with page.expect_request(lambda request: request.url.endswith("/battles")) as asked:
            page.get_by_role("button", name=label, exact=True).click()
        assert asked.value.post_data_json["track"] == name
        page.wait_for_selector("[data-phase=watching], [data-phase=ready]")


def test_the_page_votes_without_a_web_socket(open_page: Open) -> None:
    page = open_page(
        SILENT,
        prepare=lambda page: page.route_web_socket(
            "**/_stcore/stream", lambda socket: socket.close()
        ),
    )
    can_vote(page)
    vote(page)
    can_vote(page)


def test_a_browser_that_keeps_no_cookie_gets_the_reason(open_page: Open) -> None:
    def refuse_cookies(page: Page) -> None:
        page.add_init_script(
            "Object.defineProperty(navigator, 'cookieEnabled', { get: () => false })"
        )

    page = open_page(SILENT, prepare=refuse_cookies)
    expect(page.get_by_role("alert")).to_contain_text("Voting needs a cookie")


def test_two_voters_of_a_lost_cookie_are_noticed(open_page: Open) -> None:
    """Without the cookie every request is another voter's, whose clips are not found."""

    def forget_cookies(page: Page) -> None:
        def without_cookie(route: Route) -> None:
            page.context.clear_cookies()
            route.continue_()

        page.route("**/clip/**", without_cookie)
        page.route("**/api/v1/battles", without_cookie)

    page = open_page(SILENT, prepare=forget_cookies)
    expect(page.get_by_role("alert")).to_contain_text("Voting needs a cookie")


@pytest.mark.parametrize("touch", [True, False], ids=["touch", "mouse"])
def test_names_are_followed_by_the_key_only_where_there_is_likely_a_keyboard(
    open_page: Open, touch: bool
) -> None:
    page = open_page(SILENT, size=PHONE if touch else LAPTOP, touch=touch, showNames="true")
    can_vote(page)
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".status")).to_contain_text("The next pair follows")
    texts = [text for text in page.evaluate("statuses") if "The next pair follows" in text]
    assert ["Enter" in text for text in texts] == [not touch]


def test_own_votes_fit_a_phone(open_page: Open) -> None:
    page = open_page(SILENT, size=PHONE)
    can_vote(page)
    page.keyboard.press("ArrowUp")
    expect(page.locator("[data-phase=loading], [data-phase=ready]").first).to_be_attached()
    page.goto(page.url.rstrip("/") + "/me")
    row = page.locator("tr[data-vote]")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("About equal")
    for cell in row.locator("td").all():
        box = cell.bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= PHONE["width"]
    assert page.evaluate("document.querySelector('.own-votes-table').scrollWidth") <= PHONE["width"]


def test_own_votes_are_listed_with_receipts_until_the_voter_leaves(open_page: Open) -> None:
    page = open_page(SILENT)
    can_vote(page)
    with page.expect_response(lambda answer: answer.url.endswith("/vote")) as answered:
        page.keyboard.press("ArrowLeft")
    receipt = answered.value.json()["receipt"]
    page.goto(page.url.rstrip("/") + "/me")
    row = page.locator("tr[data-vote]")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("A is better")
    expect(row).to_contain_text("counted")
    expect(row.get_by_role("link", name=receipt)).to_be_visible()
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Leave and delete my voter").click()
    expect(page.get_by_text("1 vote or skip stays")).to_be_visible()
    expect(row).to_have_count(0)
    page.reload()
    expect(page.get_by_text("This browser has not voted yet.")).to_be_visible()
