"""The Merkle tree of RFC 6962 over a list that only grows, from stored hashes of its subtrees.

A leaf's hash is SHA-256(0x00 || leaf), a node's SHA-256(0x01 || left || right). Stored are tiles:
the hashes of up to 256 neighbouring nodes of every eighth level, so that appending to a list of
millions, and a proof of any entry of it, take a few hundred hashes. No library that we know keeps
its subtrees in the caller's database: pymerkle has storage of its own, and computes a root again
from the leaves.
"""

import hashlib
from collections.abc import Callable, Sequence

HASH_BYTES = 32
HEIGHT = 8  # levels of the tree in a tile
WIDTH = 1 << HEIGHT  # nodes in a full tile
EMPTY_ROOT = hashlib.sha256(b"").digest()

# Returns the hashes of a tile, side by side: of a level (0: leaves) and a number in that level.
ReadTile = Callable[[int, int], bytes]


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of an entry."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node above two others."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def split_hashes(hashes: bytes) -> list[bytes]:
    """Return the hashes that stand side by side."""
    return [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]


def full_root(hashes: Sequence[bytes]) -> bytes:
    """Return the root of a complete subtree over a power of two of nodes."""
    return _full_root(b"".join(hashes))


def _full_root(joined: bytes) -> bytes:
    """The same of hashes that stand side by side; a proof computes hundreds of nodes this way."""
    pair, sha256 = 2 * HASH_BYTES, hashlib.sha256
    while len(joined) > HASH_BYTES:
        joined = b"".join(
            [
                sha256(b"\x01" + joined[at : at + pair]).digest()
                for at in range(0, len(joined), pair)
            ]
        )
    return joined


def root_of(hashes: Sequence[bytes]) -> bytes:
    """Return the root of a tree over these leaves' hashes."""
    if not hashes:
        return EMPTY_ROOT
    level = list(hashes)
    while len(level) > 1:
        above = [node_hash(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
        if len(level) % 2:  # the last node moves up: the tree of RFC 6962, level by level
            above.append(level[-1])
        level = above
    return level[0]


class Frontier:
    """The roots of the complete subtrees of a list, to which entries are appended one by one."""

    def __init__(self) -> None:
        self._roots: list[tuple[int, bytes]] = []  # height and root, the largest first
        self.size = 0

    def append(self, leaf: bytes) -> None:
        """Append an entry by its hash."""
        self._add(0, leaf)

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Append entries by their hashes, in order; far faster than one by one."""
        start = 0
        while start < len(leaves):
            left = len(leaves) - start
            height = left.bit_length() - 1
            if self.size:  # a complete subtree begins at a multiple of its size
                height = min(height, (self.size & -self.size).bit_length() - 1)
            self._add(height, _full_root(b"".join(leaves[start : start + (1 << height)])))
            start += 1 << height

    def _add(self, height: int, root: bytes) -> None:
        self.size += 1 << height
        while self._roots and self._roots[-1][0] == height:
            root = node_hash(self._roots.pop()[1], root)
            height += 1
        self._roots.append((height, root))

    def become(self, other: "Frontier") -> None:
        """Continue from the entries of another list."""
        self._roots, self.size = list(other._roots), other.size

    def root(self) -> bytes:
        """Return the root over all entries so far."""
        if not self._roots:
            return EMPTY_ROOT
        value = self._roots[-1][1]
        for _, left in self._roots[-2::-1]:
            value = node_hash(left, value)
        return value


class Tree:
    """The tree over the entries whose subtrees are stored.

    Args:
        read_tile: returns stored tiles; a tile may have more hashes than a tree's size needs.
    """

    def __init__(self, read_tile: ReadTile) -> None:
        self._read_tile = read_tile
        self._tiles: dict[tuple[int, int], bytes] = {}
        self._nodes: dict[tuple[int, int], bytes] = {}

    def root(self, size: int) -> bytes:
        """Return the root over the first `size` entries."""
        return EMPTY_ROOT if size == 0 else self._range(0, size)

    def leaf(self, index: int) -> bytes:
        """Return the hash of an entry."""
        return self._node(0, index)

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Return the proof that an entry is in the tree over the first `size` entries (2.1.1).

        Raises:
            ValueError: the tree does not have the entry.
        """
        if not 0 <= index < size:
            raise ValueError(f"a tree of {size} entries has no entry {index}")
        path: list[bytes] = []
        first, last = 0, size
        while last - first > 1:
            middle = first + _split(last - first)
            if index < middle:
                path.append(self._range(middle, last))
                last = middle
            else:
                path.append(self._range(first, middle))
                first = middle
        return path[::-1]

    def consistency(self, first: int, second: int) -> list[bytes]:
        """Return the proof that a tree begins with the entries of a smaller one (2.1.2).

        Raises:
            ValueError: the first tree is larger than the second.
        """
        if not 0 <= first <= second:
            raise ValueError(f"a tree of {second} entries does not begin with {first}")
        if first in (0, second):
            return []
        path: list[bytes] = []
        start, size, is_complete = 0, second, True
        while first != size:
            middle = _split(size)
            if first <= middle:
                path.append(self._range(start + middle, start + size))
                size = middle
            else:
                path.append(self._range(start, start + middle))
                start, size, first, is_complete = (
                    start + middle,
                    size - middle,
                    first - middle,
                    False,
                )
        if not is_complete:
            path.append(self._range(start, start + size))
        return path[::-1]

    def _range(self, first: int, last: int) -> bytes:
        """The root over entries from `first` to before `last`: a subtree of some tree."""
        size = last - first
        if size & (size - 1) == 0:  # complete, and aligned, as all subtrees are
            return self._node(size.bit_length() - 1, first // size)
        middle = first + _split(size)
        return node_hash(self._range(first, middle), self._range(middle, last))

    def _node(self, height: int, number: int) -> bytes:
        """A complete subtree's root: of 2^height entries, the number-th of its height."""
        key = (height, number)
        if key not in self._nodes:
            level, rest = divmod(height, HEIGHT)
            tile, offset = divmod(number << rest, WIDTH)
            start, count = offset * HASH_BYTES, (1 << rest) * HASH_BYTES
            hashes = self._tile(level, tile)[start : start + count]
            if len(hashes) < count:
                raise LookupError(f"tile {tile} of level {level} ends before node {offset}")
            value = _full_root(hashes)
            self._nodes[key] = value
        return self._nodes[key]

    def _tile(self, level: int, number: int) -> bytes:
        key = (level, number)
        if key not in self._tiles:
            self._tiles[key] = self._read_tile(level, number)
        return self._tiles[key]


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def root_from_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """Return the root that an inclusion proof leads to; None if it has another length.

    Args:
        leaf: the entry's hash.
        index: of the entry.
        size: of the tree.
        path: the proof.
    """
    # As in RFC 9162, 2.1.3.2.
    if not 0 <= index < size:
        return None
    node, last, root = index, size - 1, leaf
    for each in path:
        if last == 0:
            return None
        if node & 1 or node == last:
            root = node_hash(each, root)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            root = node_hash(root, each)
        node, last = node >> 1, last >> 1
    return root if last == 0 else None


def is_consistent(
    first: int, first_root: bytes, second: int, second_root: bytes, path: Sequence[bytes]
) -> bool:
    """Whether a proof shows that the second tree begins with the entries of the first."""
    # As in RFC 9162, 2.1.4.2.
    if first == second:
        return not path and first_root == second_root
    if first == 0:
        return not path and first_root == EMPTY_ROOT
    if not 0 < first < second:
        return False
    proof = list(path)
    if first & (first - 1) == 0:
        proof.insert(0, first_root)
    if not proof:
        return False
    node, last = first - 1, second - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = proof[0]
    for each in proof[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old, new = node_hash(each, old), node_hash(each, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, each)
        node, last = node >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root
