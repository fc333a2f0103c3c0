"""A codename commits to its model in public, and only the opening of that commitment claims it."""

import hashlib
import json
import stat
from pathlib import Path

import pytest

from arena.catalog import claims, retirement
from arena.catalog.entering import Entered, enter
from arena.catalog.entrants import find_entrant
from arena.catalog.openings import Opening, opening_path, parse_opening, read_opening
from arena.catalog.variants import count_variants, describe_variants, variants_by_name
from arena.database import Database
from arena.errors import CatalogError, NotFound
from arena.models import Entrant
from small_arena import START, entrant_entry

WEIGHTS = f"weights_sha256:{'ab' * 32}"
CODENAME = "Grey Colt"


def enter_model(
    database: Database, home: Path, name: str = "Dogwood", *, what: str = WEIGHTS, **values: object
) -> Entered:
    values.setdefault("codename", CODENAME)
    entry = entrant_entry(name, **{"creator": "Kennel Club", **values})
    return enter(database, home, entry, fingerprint=what, now=START)


def claim(database: Database, opening: Opening, codename: str = CODENAME) -> claims.Claimed:
    return database.write(lambda session: claims.claim(session, codename, opening, now=START))


def stored(database: Database, name: str = CODENAME) -> Entrant:
    with database.reading() as session:
        return find_entrant(session, name)


@pytest.fixture
def opening(arena_database: Database, tmp_path: Path) -> Opening:
    path = enter_model(arena_database, tmp_path).opening
    assert path is not None
    return read_opening(path)


def test_a_codename_leaves_an_opening_for_its_maker_and_a_commitment_for_everybody(
    arena_database: Database, tmp_path: Path
) -> None:
    entered = enter_model(arena_database, tmp_path)
    path = tmp_path / "openings" / "Grey Colt.json"
    assert entered.opening == path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    document = json.loads(path.read_text())
    assert set(document) == {"name", "creator", "nonce", "weights_sha256"}
    assert (document["name"], document["creator"]) == ("Dogwood", "Kennel Club")
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    commitment = hashlib.sha256(text.encode()).hexdigest()
    assert stored(arena_database).commitment == commitment
    assert document["nonce"] not in json.dumps(str(vars(stored(arena_database))))


def test_entering_again_keeps_the_opening_and_the_commitment(
    arena_database: Database, tmp_path: Path
) -> None:
    first = enter_model(arena_database, tmp_path)
    assert first.opening is not None
    before = first.opening.read_bytes()
    assert enter_model(arena_database, tmp_path).opening is None
    assert first.opening.read_bytes() == before
    assert stored(arena_database).commitment == read_opening(first.opening).commitment


def test_an_opening_of_a_command_that_was_killed_before_it_committed_is_used(
    arena_database: Database, tmp_path: Path
) -> None:
    def die(*_arguments: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("arena.catalog.entering.commit_to", die)
        with pytest.raises(KeyboardInterrupt):
            enter_model(arena_database, tmp_path)
    with pytest.raises(NotFound):
        stored(arena_database)
    left = read_opening(opening_path(tmp_path, CODENAME))
    enter_model(arena_database, tmp_path)
    assert stored(arena_database).commitment == left.commitment


def test_another_model_does_not_take_the_opening_of_an_earlier_one(
    arena_database: Database, tmp_path: Path
) -> None:
    path = opening_path(tmp_path, CODENAME)
    path.parent.mkdir()
    other = Opening(name="Elm", creator="Kennel Club", nonce="0" * 64, clips_sha256="cd" * 32)
    path.write_text(other.document)
    with pytest.raises(CatalogError, match="is the opening of an earlier entrant"):
        enter_model(arena_database, tmp_path)
    assert read_opening(path) == other


@pytest.mark.parametrize(
    "codename", ["../outside", "/etc/passwd", ".hidden", "a\\b", "\N{HORSE FACE}" * 100]
)
def test_an_odd_codename_stays_in_the_folder_of_openings(tmp_path: Path, codename: str) -> None:
    path = opening_path(tmp_path, codename)
    assert path.parent == tmp_path / "openings"
    path.parent.mkdir()
    path.write_text("{}")
    assert path != opening_path(tmp_path, f"{codename}x")


def test_what_a_codename_committed_to_never_changes(
    arena_database: Database, tmp_path: Path
) -> None:
    enter_model(arena_database, tmp_path)
    with pytest.raises(CatalogError, match="a commitment never changes"):
        enter_model(arena_database, tmp_path, creator="Another Club")
    with pytest.raises(CatalogError, match="a commitment never changes"):
        enter_model(arena_database, tmp_path, codename="Bay Mare")
    enter_model(arena_database, tmp_path, licence="Apache-2.0")
    assert stored(arena_database).licence == "Apache-2.0"


def test_a_claim_publishes_the_opening_and_may_be_repeated(
    arena_database: Database, opening: Opening
) -> None:
    assert stored(arena_database).shown_name == CODENAME
    assert claim(arena_database, opening).is_new
    assert not claim(arena_database, opening).is_new
    assert stored(arena_database).shown_name == "Dogwood"
    with arena_database.reading() as session:
        (published,) = claims.published_openings(session)
        assert published.document == opening.document
        assert hashlib.sha256(published.document.encode()).hexdigest() == opening.commitment


def test_a_retired_codename_can_be_claimed(arena_database: Database, opening: Opening) -> None:
    with arena_database.writing() as session:
        retirement.retire(session, find_entrant(session, CODENAME), now=START)
    assert claim(arena_database, opening).entrant.shown_name == "Dogwood"


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Elm"},
        {"creator": "Another Club"},
        {"nonce": "f" * 64},
        {"weights_sha256": "00" * 32},
        {"weights_sha256": None, "clips_sha256": "ab" * 32},
    ],
    ids=lambda change: next(iter(change)),
)
def test_an_altered_opening_is_refused(
    arena_database: Database, opening: Opening, change: dict[str, object]
) -> None:
    altered = opening.model_copy(update=change)
    with pytest.raises(CatalogError, match="does not match the commitment of Grey Colt") as caught:
        claim(arena_database, altered)
    assert "Dogwood" not in str(caught.value)
    assert stored(arena_database).claimed_at is None
    with arena_database.reading() as session:
        assert claims.published_openings(session) == []


def test_the_opening_of_another_codename_is_refused(
    arena_database: Database, opening: Opening, tmp_path: Path
) -> None:
    enter_model(arena_database, tmp_path, "Elm", codename="Bay Mare")
    with pytest.raises(CatalogError, match="does not match the commitment of Bay Mare"):
        claim(arena_database, opening, "Bay Mare")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not JSON", "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ("[]", "is not an opening"),
        ('{"name": "a"}', "is not an opening"),
        ('{"name": "a", "creator": "b", "nonce": "' + "0" * 32 + '"}', "has one of the keys"),
        (
            '{"name": "a", "creator": "b", "nonce": "' + "0" * 32 + '", "clips_sha256": "x"}',
            "clips_sha256",
        ),
    ],
)
def test_a_file_with_anything_else_is_refused_in_one_sentence(text: str, message: str) -> None:
    with pytest.raises(CatalogError, match=message) as caught:
        parse_opening(text, source="opening.json")
    assert str(caught.value).startswith("opening.json is not an opening: ")
    assert "\n" not in str(caught.value)


def test_the_same_model_under_another_name_is_found_by_its_hash(
    arena_database: Database, tmp_path: Path
) -> None:
    enter_model(arena_database, tmp_path)
    entered = enter_model(arena_database, tmp_path, "Elm", codename=None)
    assert entered.warnings == ("Elm has the same weights as Grey Colt, by their SHA-256.",)


def test_variants_of_a_maker_are_counted_without_naming_a_codename(
    arena_database: Database, tmp_path: Path
) -> None:
    numbers = iter(range(10))

    def add(name: str, codename: str | None) -> None:
        what = f"weights_sha256:{next(numbers):064x}"
        enter_model(arena_database, tmp_path, name, what=what, codename=codename)

    def counts() -> dict[str, tuple[int, int]]:
        with arena_database.reading() as session:
            found = variants_by_name(session)
        return {name: (each.ran, each.retired_unranked) for name, each in found.items()}

    add("Elm", None)
    for number in (1, 2, 3):
        add(f"Oak {number}", f"Colt {number}")
    # A codename that added to its maker's count would be named by it.
    assert counts()["Elm"] == (1, 0)
    assert counts()["Colt 1"] == counts()["Colt 3"] == (3, 0)
    assert counts()["Alder"] == (1, 0)
    with arena_database.writing() as session:
        retirement.retire(session, find_entrant(session, "Colt 2"), now=START)
    assert counts()["Colt 1"] == (3, 1)
    claim(arena_database, read_opening(opening_path(tmp_path, "Colt 1")), "Colt 1")
    # The maker who claims the best one shows how many it was chosen from.
    assert counts()["Oak 1"] == counts()["Elm"] == (4, 1)
    assert counts()["Colt 2"] == (2, 1)
    with arena_database.reading() as session:
        entrant = find_entrant(session, "Oak 1")
        phrase = describe_variants(count_variants(session)[entrant.id], is_codename=False)
    assert phrase == "one of 4 models of its maker, 1 retired before being ranked"
