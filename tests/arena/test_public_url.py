"""ARENA_PUBLIC_URL is an http(s) origin, with or without a path, or is refused at the start."""

from pathlib import Path

import pytest

from arena.errors import ConfigurationError
from arena.public_url import parse_public_url
from arena.settings import Settings, load_settings

REFUSED = [
    "arena.example.org",
    "//arena.example.org",
    "ftp://arena.example.org",
    "javascript:alert(1)",
    "https://",
    "https:///arena",
    "https://user@arena.example.org",
    "https://user:password@arena.example.org",
    "https://arena.example.org/?track=x",
    "https://arena.example.org/?",
    "https://arena.example.org/#top",
    "https://arena.example.org:port",
    "https://arena.example.org:99999",
    "https://arena.example.org:0",
    "https://arena.example.org:",
    "https://arena example.org",
    "https://arena.example.org/a b",
    "https://arena.example.org/a//b",
    "https://arena.example.org/../b",
    "https://arena.example.org/a%2Fb",
    "https://arena.example.org/<script>",
    "https://arena.example.org/\n",
    " https://arena.example.org",
    "https://*.example.org",
    "https://[::1",
    "https://-.example.org",
    "https://example.org/api",
    "https://example.org/_stcore/arena",
    "https://example.org/Clip/x",
]


@pytest.mark.parametrize("value", REFUSED)
def test_anything_else_is_refused_at_the_start_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ARENA_PUBLIC_URL", value)
    with pytest.raises(ConfigurationError) as refused:
        load_settings()
    sentence = str(refused.value)
    assert sentence.startswith("ARENA_PUBLIC_URL ")
    assert "\n" not in sentence
    assert "password" not in sentence.replace("user name or password", "")


@pytest.mark.parametrize(
    ("value", "text", "origin", "base_path"),
    [
        ("https://lab.org", "https://lab.org", "https://lab.org", ""),
        ("HTTPS://Lab.ORG/", "https://lab.org", "https://lab.org", ""),
        ("https://lab.org:443/arena/", "https://lab.org/arena", "https://lab.org", "/arena"),
        ("http://10.0.0.2:8080/a/b-1", "http://10.0.0.2:8080/a/b-1", "http://10.0.0.2:8080", None),
        ("http://[::1]:8501/x/", "http://[::1]:8501/x", "http://[::1]:8501", "/x"),
        ("https://bücher.example", "https://xn--bcher-kva.example", None, ""),
        ("http://localhost:9000", "http://localhost:9000", "http://localhost:9000", ""),
    ],
)
def test_an_origin_with_or_without_a_path_is_accepted(
    value: str, text: str, origin: str | None, base_path: str | None
) -> None:
    public = parse_public_url(value)
    assert str(public) == text
    assert origin is None or public.origin == origin
    assert base_path is None or public.base_path == base_path
    assert Settings(public_url=value).public_url == text


@pytest.mark.parametrize("value", ["proxy.example.org", "10.0.0.0/33", "10.0.0.1;10.0.0.2", "yes"])
def test_trusted_proxies_are_addresses_or_networks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ARENA_TRUSTED_PROXIES", value)
    with pytest.raises(ConfigurationError, match=r"ARENA_TRUSTED_PROXIES .* write for example"):
        load_settings()


def test_several_trusted_proxies_are_separated_by_commas() -> None:
    settings = Settings(trusted_proxies=" 127.0.0.1, 10.0.0.0/8,::1 ")
    assert settings.trusted_proxies == "127.0.0.1,10.0.0.0/8,::1"
    assert Settings(trusted_proxies="*").trusted_proxies == "*"
