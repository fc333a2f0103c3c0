"""The tree is that of RFC 6962, and its proofs hold for their entries and for no other."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.audit.merkle import (
    EMPTY_ROOT,
    WIDTH,
    Frontier,
    Tree,
    full_root,
    is_consistent,
    leaf_hash,
    node_hash,
    root_from_inclusion,
    root_of,
)

# The entries of Certificate Transparency's own tests, and the roots over the first of them.
ENTRIES = [
    bytes.fromhex(text)
    for text in (
        *("", "00", "10", "2021", "3031", "40414243", "5051525354555657"),
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}
MANY = [leaf_hash(str(number).encode()) for number in range(3 * WIDTH + 5)]


def defined_root(hashes: list[bytes]) -> bytes:
    """The definition of section 2.1, word for word."""
    if not hashes:
        return EMPTY_ROOT
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while 2 * split < len(hashes):
        split *= 2
    return node_hash(defined_root(hashes[:split]), defined_root(hashes[split:]))


def tree_of(hashes: list[bytes]) -> Tree:
    tiles: dict[tuple[int, int], bytes] = {}
    level = 0
    while hashes:
        parts = [hashes[at : at + WIDTH] for at in range(0, len(hashes), WIDTH)]
        tiles |= {(level, number): b"".join(part) for number, part in enumerate(parts)}
        hashes = [full_root(part) for part in parts if len(part) == WIDTH]
        level += 1
    return Tree(lambda level, number: tiles[level, number])


TREE = tree_of(MANY)
SIZES = st.integers(0, len(MANY))


def test_roots_are_those_of_certificate_transparency() -> None:
    hashes = [leaf_hash(entry) for entry in ENTRIES]
    for size, root in ROOTS.items():
        assert root_of(hashes[:size]).hex() == root
        assert tree_of(hashes).root(size).hex() == root


@given(size=SIZES)
@settings(deadline=None)
def test_every_way_to_a_root_gives_the_defined_one(size: int) -> None:
    frontier = Frontier()
    for entry in MANY[:size]:
        frontier.append(entry)
    expected = defined_root(MANY[:size])
    assert root_of(MANY[:size]) == frontier.root() == TREE.root(size) == expected


@given(size=st.integers(1, len(MANY)), data=st.data())
@settings(deadline=None)
def test_an_inclusion_proof_holds_for_its_entry_alone(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    other = data.draw(st.integers(0, size - 1))
    path, root = TREE.inclusion(index, size), TREE.root(size)
    assert root_from_inclusion(MANY[index], index, size, path) == root
    if other != index:
        assert root_from_inclusion(MANY[other], index, size, path) != root
        assert root_from_inclusion(MANY[index], other, size, path) != root
    assert root_from_inclusion(MANY[index], index, size, [*path, root]) is None
    if path:
        assert root_from_inclusion(MANY[index], index, size, path[:-1]) != root


@given(first=SIZES, second=SIZES)
@settings(deadline=None)
def test_a_consistency_proof_holds_for_the_same_beginning_alone(first: int, second: int) -> None:
    first, second = sorted((first, second))
    path = TREE.consistency(first, second)
    old, new = TREE.root(first), TREE.root(second)
    assert is_consistent(first, old, second, new, path)
    if 0 < first < second:
        forged = root_of([MANY[-1], *MANY[1:first]])
        assert not is_consistent(first, forged, second, new, path)
        assert not is_consistent(first, old, second, forged, path)


def test_proofs_of_what_a_tree_does_not_have_are_refused() -> None:
    with pytest.raises(ValueError, match="has no entry 3"):
        TREE.inclusion(3, 3)
    with pytest.raises(ValueError, match="does not begin"):
        TREE.consistency(5, 4)
    assert root_from_inclusion(MANY[0], 3, 3, []) is None
    assert not is_consistent(5, TREE.root(5), 4, TREE.root(4), [])
