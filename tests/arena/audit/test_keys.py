"""The arena's key is in a file for its owner, and each later key is signed by the one before."""

import os
import stat
from pathlib import Path

import pytest
from sealed_arena import tamper

from arena.audit import keys
from arena.audit.chain import ChainError, check_chain, check_keys, pinned
from arena.audit.proofs import published_seals
from arena.audit.seals import make_seals
from arena.database import Database
from arena.errors import ConfigurationError
from small_arena import START

pytestmark = pytest.mark.databases("sqlite")


@pytest.fixture
def signer(arena_database: Database, tmp_path: Path) -> keys.Signer:
    return keys.open_signer(tmp_path, arena_database, now=START)


def documents(database: Database) -> list[dict[str, str]]:
    with database.reading() as session:
        return keys.list_keys(session)


def test_the_key_is_made_once_and_readable_by_its_owner(
    arena_database: Database, tmp_path: Path, signer: keys.Signer
) -> None:
    mode = stat.S_IMODE((tmp_path / keys.KEY_FILE).stat().st_mode)
    assert mode == 0o600
    assert keys.open_signer(tmp_path, arena_database, now=START).fingerprint == signer.fingerprint


def test_whoever_knows_an_early_key_can_follow_to_the_newest(
    arena_database: Database, tmp_path: Path, signer: keys.Signer
) -> None:
    make_seals(arena_database, signer, now=START)
    second = keys.rotate_key(tmp_path, arena_database, now=START)
    assert stat.S_IMODE((tmp_path / keys.KEY_FILE).stat().st_mode) == 0o600
    make_seals(arena_database, second, now=START)
    with arena_database.reading() as session:
        chain = check_chain(keys.list_keys(session), published_seals(session))
    assert [seal.key for seal in chain.seals] == [signer.fingerprint, second.fingerprint]
    assert pinned(chain, signer.fingerprint.upper())
    assert pinned(chain, second.fingerprint)
    assert not pinned(chain, "0" * 64)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_rotation_that_is_killed_leaves_a_key_that_works(
    arena_database: Database,
    tmp_path: Path,
    signer: keys.Signer,
    monkeypatch: pytest.MonkeyPatch,
    when: str,
) -> None:
    def die(*_arguments: object, **_values: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if when == "before":
            patch.setattr(keys, "_add", die)
        else:
            patch.setattr(os, "replace", lambda source, target: None if "draft" in str(source)
                          else die())  # fmt: skip
            patch.setattr(keys, "_write", lambda path, made, **_values: _keep(path, made))
        with pytest.raises(KeyboardInterrupt):
            keys.rotate_key(tmp_path, arena_database, now=START)
    opened = keys.open_signer(tmp_path, arena_database, now=START)
    assert (opened.fingerprint == signer.fingerprint) is (when == "before")
    assert documents(arena_database)[-1]["fingerprint"] == opened.fingerprint


def _keep(path: Path, signer: keys.Signer) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    path.write_bytes(
        signer.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )


def test_another_key_is_refused(
    arena_database: Database, tmp_path: Path, signer: keys.Signer
) -> None:
    (tmp_path / keys.KEY_FILE).unlink()
    keys.make_key(tmp_path)
    with pytest.raises(ConfigurationError, match="is not the key that signed the last seal"):
        keys.open_signer(tmp_path, arena_database, now=START)
    (tmp_path / keys.KEY_FILE).write_text("not a key")
    with pytest.raises(ConfigurationError, match="is not a private key"):
        keys.open_signer(tmp_path, arena_database, now=START)


def test_a_key_that_the_one_before_did_not_sign_is_found(
    arena_database: Database, tmp_path: Path, signer: keys.Signer
) -> None:
    keys.rotate_key(tmp_path, arena_database, now=START)
    tamper(arena_database, "UPDATE seal_key SET signature = public_key WHERE number = 1")
    with pytest.raises(ChainError, match="key 2 is not signed by the one before it"):
        check_keys(documents(arena_database))
