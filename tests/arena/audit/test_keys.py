"""The arena's key is in a file for its owner, and each later key is signed by the one before."""

import os
import stat
from pathlib import Path

import pytest
from sealed_arena import tamper

from arena.audit import keys
from arena.audit.chain import ChainError, check_chain, check_keys, pinned
from arena.audit.database_check import audit_seals
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


# --- a lost key -----------------------------------------------------------------------------------


@pytest.fixture
def lost(arena_database: Database, tmp_path: Path, signer: keys.Signer) -> keys.Signer:
    """The key of a first seal, whose file is gone."""
    make_seals(arena_database, signer, now=START)
    (tmp_path / keys.KEY_FILE).unlink()
    return signer


def replace(database: Database, home: Path, reason: str = "The disk failed.") -> keys.Signer:
    return keys.replace_lost_key(home, database, reason=reason, now=START)


def test_seals_go_on_after_a_lost_key_and_releases_and_audits_say_so(
    arena_database: Database, tmp_path: Path, lost: keys.Signer
) -> None:
    """The chain continues, the reason is public, and the old fingerprint vouches for nothing."""
    with pytest.raises(ConfigurationError, match="arena seals replace-lost-key"):
        keys.open_signer(tmp_path, arena_database, now=START)
    new = replace(arena_database, tmp_path)
    assert stat.S_IMODE((tmp_path / keys.KEY_FILE).stat().st_mode) == 0o600
    opened = keys.open_signer(tmp_path, arena_database, now=START)
    assert opened.fingerprint == new.fingerprint
    make_seals(arena_database, opened, now=START)
    with arena_database.reading() as session:
        chain = check_chain(keys.list_keys(session), published_seals(session))
    assert [seal.key for seal in chain.seals] == [lost.fingerprint, new.fingerprint]
    assert not pinned(chain, lost.fingerprint)
    assert pinned(chain, new.fingerprint)
    (said,) = chain.lost
    assert (said.fingerprint, said.reason) == (lost.fingerprint, "The disk failed.")
    found = audit_seals(arena_database, key=lost.fingerprint)
    assert not found.is_pinned
    assert "was lost and replaced on 2026-11-23" in found.faults[0]
    assert len(found.faults) == len(audit_seals(arena_database).lost_keys) == 1
    assert audit_seals(arena_database).faults == ()


def test_a_rotation_after_a_lost_key_can_be_followed_from_the_new_one(
    arena_database: Database, tmp_path: Path, lost: keys.Signer
) -> None:
    new = replace(arena_database, tmp_path)
    last = keys.rotate_key(tmp_path, arena_database, now=START)
    known = check_keys(documents(arena_database))
    assert known.fingerprints == (lost.fingerprint, new.fingerprint, last.fingerprint)
    assert pinned(known, new.fingerprint)
    assert not pinned(known, lost.fingerprint)


def test_a_key_that_is_there_is_not_replaced_as_lost(
    arena_database: Database, tmp_path: Path, signer: keys.Signer
) -> None:
    with pytest.raises(ConfigurationError, match="so it is not lost"):
        replace(arena_database, tmp_path)


@pytest.mark.parametrize("reason", ["", " ", "x" * 301, "a\x00b"])
def test_the_reason_for_a_lost_key_is_a_plain_sentence(
    arena_database: Database, tmp_path: Path, lost: keys.Signer, reason: str
) -> None:
    with pytest.raises(ConfigurationError, match="plain sentence"):
        replace(arena_database, tmp_path, reason)


def test_a_replacement_that_is_killed_leaves_a_key_that_works_or_can_be_repeated(
    arena_database: Database, tmp_path: Path, lost: keys.Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before the database knows the new key, it is repeated; after it, it is finished."""

    def die(*_arguments: object, **_values: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(keys, "_store", die)
        with pytest.raises(KeyboardInterrupt):
            replace(arena_database, tmp_path)
    assert len(documents(arena_database)) == 1
    with monkeypatch.context() as patch:
        patch.setattr(keys, "_write", lambda path, made, **_values: _keep(path, made))
        patch.setattr(os, "replace", die)
        with pytest.raises(KeyboardInterrupt):
            replace(arena_database, tmp_path)
    opened = keys.open_signer(tmp_path, arena_database, now=START)
    assert documents(arena_database)[-1]["fingerprint"] == opened.fingerprint != lost.fingerprint


def test_a_forger_cannot_pass_a_key_of_their_own_off_as_a_replacement(
    arena_database: Database, tmp_path: Path, lost: keys.Signer
) -> None:
    """Whoever knows the real key sees that it does not lead to the forger's."""
    forged = replace(arena_database, tmp_path, "A forger says so.")
    known = check_keys(documents(arena_database))
    assert known.fingerprints[-1] == forged.fingerprint
    assert not pinned(known, lost.fingerprint)
    tamper(
        arena_database,
        "UPDATE seal_key SET statement = replace(statement, 'lost', 'note') WHERE number = 1",
    )
    with pytest.raises(ChainError, match="key 2 is not signed by the one before it"):
        check_keys(documents(arena_database))
