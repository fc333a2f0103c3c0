"""The voter's cookie is found whatever other cookies a browser sends."""

from http.cookies import SimpleCookie

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from arena.web.middleware.voter_cookie import COOKIE, VoterCookieMiddleware

SECRET = "a secret of some length"  # noqa: S105


def show_voter(request: Request) -> PlainTextResponse:
    return PlainTextResponse(request.state.voter_key)


APP = VoterCookieMiddleware(
    Starlette(routes=[Route("/me", show_voter)]), secret=SECRET, public_https=False
)


def send(*cookie_headers: str) -> tuple[str, str | None]:
    """Return the voter's key, and the value of a cookie that the response sets."""
    headers = [(b"cookie", header.encode("latin-1")) for header in cookie_headers]
    answer = TestClient(APP).get("/me", headers=headers)
    set_cookie = answer.headers.get("set-cookie")
    return answer.text, SimpleCookie(set_cookie)[COOKIE].value if set_cookie else None


KEY, VALUE = send()
OURS = f"{COOKIE}={VALUE}"
ODD = [
    'prefs={"a": 1}',
    "user[id]=4",
    'theme="dark, light"',
    "[object Object]",
    "=",
    "",
    "café=à",
    "a=b=c==",
    f"not_{COOKIE}=1",
    'x="unclosed',
]


@pytest.mark.parametrize("other", ODD)
def test_another_programs_cookie_does_not_hide_ours(other: str) -> None:
    for header in (f"{other}; {OURS}", f"{OURS}; {other}", f"{other};{OURS};{other}"):
        assert send(header) == (KEY, None)
    assert send(other, OURS) == (KEY, None)


# What a header can hold; a semicolon ends a cookie, so a browser sends none inside a value.
HEADER_TEXT = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters=";\x7f"), max_size=40
)


@settings(deadline=None)
@given(before=st.lists(HEADER_TEXT, max_size=4), after=st.lists(HEADER_TEXT, max_size=4))
def test_our_cookie_is_found_among_any_others(before: list[str], after: list[str]) -> None:
    assert send("; ".join([*before, OURS, *after])) == (KEY, None)


def test_of_several_cookies_of_our_name_the_first_that_verifies_counts() -> None:
    other_key, other_value = send()
    header = f"{COOKIE}=forged.value; {COOKIE}={other_value}; {OURS}"
    assert send(header) == (other_key, None)


def test_a_forged_cookie_gives_a_new_voter() -> None:
    key, value = send(f"{COOKIE}={KEY}.forged")
    assert key != KEY
    assert value is not None
