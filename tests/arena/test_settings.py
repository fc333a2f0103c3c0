"""Settings come from the environment or `.env`; an error names the variable."""

import stat
from pathlib import Path

import pytest

from arena.errors import ConfigurationError
from arena.settings import (
    SECRET_FILE,
    RateLimit,
    Settings,
    load_settings,
    make_home,
    parse_rate_limit,
    variables_from_env_file,
)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"ARENA_{name.upper()}", raising=False)
    monkeypatch.chdir(tmp_path)


def test_defaults_are_all_in_the_home_folder(tmp_path: Path) -> None:
    settings = load_settings()
    assert settings.home == tmp_path / "arena-data"
    assert settings.database == f"sqlite:///{tmp_path}/arena-data/arena.sqlite"
    assert settings.media == str(tmp_path / "arena-data" / "media")
    assert settings.limits == (RateLimit(30, 60), RateLimit(600, 3600))


def test_the_environment_overrides_the_env_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("ARENA_HOME=/from/file\nARENA_RATE_LIMIT=off\n")
    monkeypatch.setenv("ARENA_HOME", "/from/environment")
    settings = load_settings()
    assert settings.home == Path("/from/environment")
    assert settings.limits_off


@pytest.mark.parametrize("text", ["many", "0/minute", "3/fortnight", "3", ""])
def test_an_invalid_rate_limit_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("ARENA_RATE_LIMIT", text)
    with pytest.raises(ConfigurationError, match="ARENA_RATE_LIMIT"):
        load_settings()
    with pytest.raises(ValueError, match="is not a limit"):
        parse_rate_limit(text)


def test_the_admin_token_which_nothing_uses_yet_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("ARENA_ADMIN_TOKEN=from-file\n")
    monkeypatch.setenv("ARENA_ADMIN_TOKEN", "from-environment")
    assert load_settings() == Settings(_env_file=None)


@pytest.mark.parametrize("secret", ["changethis", "short"])
def test_a_default_or_short_secret_is_refused(monkeypatch: pytest.MonkeyPatch, secret: str) -> None:
    monkeypatch.setenv("ARENA_SECRET_KEY", secret)
    with pytest.raises(ConfigurationError, match="ARENA_SECRET_KEY"):
        load_settings()


def test_the_secret_key_is_made_once_and_readable_by_its_owner_only() -> None:
    settings = load_settings()
    with pytest.raises(ConfigurationError, match="arena init"):
        settings.signing_key()
    make_home(settings)
    key = settings.signing_key()
    make_home(settings)
    assert settings.signing_key() == key
    assert len(key) >= 32
    assert stat.S_IMODE((settings.home / SECRET_FILE).stat().st_mode) == 0o600
    assert [path.name for path in settings.home.iterdir()] == [SECRET_FILE]


def test_a_key_from_the_environment_writes_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARENA_SECRET_KEY", "k" * 40)
    settings = load_settings()
    make_home(settings)
    assert settings.signing_key() == "k" * 40
    assert not (settings.home / SECRET_FILE).exists()


def test_a_home_that_cannot_be_written_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ARENA_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(ConfigurationError, match="cannot be written"):
        make_home(load_settings())


def test_what_the_env_file_sets_is_known_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert variables_from_env_file() == (tmp_path / ".env", [])
    text = "ARENA_HOME=/a\narena_rate_limit=off\nARENA_TITLE=x\nOTHER=1\nARENA_NOTHING=2\n"
    (tmp_path / ".env").write_text(text)
    monkeypatch.setenv("ARENA_HOME", "/from/environment")
    assert variables_from_env_file()[1] == ["ARENA_RATE_LIMIT", "ARENA_TITLE"]
