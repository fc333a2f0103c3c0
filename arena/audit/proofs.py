"""Reads seals: proofs that a vote is in one, and that one continues another (RFC 6962, 2.1).

What is read for a proof does not grow with the votes, but for the logarithm of their number.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Select, and_, bindparam, or_, select
from sqlalchemy.orm import Session

from arena.audit.chain import published_seal, read_payload
from arena.audit.merkle import WIDTH, Tree
from arena.errors import NotFound
from arena.models import Seal, SealTile

Tile = tuple[int, int]  # level and number


def late_numbers(seal: Seal) -> list[int]:
    """The numbers of a seal's last votes that are below the watermark before it."""
    if not seal.late:
        return []
    return [int(number) for number in read_payload(seal.payload)["late"]]


def stored_tile(session: Session, level: int, number: int) -> bytes:
    """Return the hashes of a stored tile; none if there is no such tile."""
    query = select(SealTile.hashes).where(SealTile.level == level, SealTile.number == number)
    return bytes(session.scalar(query) or b"")


def stored_tree(session: Session) -> Tree:
    """Return the tree over all sealed votes."""
    return Tree(lambda level, number: stored_tile(session, level, number))


@dataclass(frozen=True)
class Inclusion:
    """Where a vote is in the tree of a seal, and the proof of it.

    Attributes:
        seal: number of the first seal that covers the vote.
        index: of its leaf.
        size: of the seal's tree.
        root: of the seal's tree.
        leaf: hash of its leaf.
        path: the hashes of RFC 6962, 2.1.1, from the leaf to the root.
    """

    seal: int
    index: int
    size: int
    root: bytes
    leaf: bytes
    path: list[bytes]


def find_inclusion(session: Session, vote_id: int) -> Inclusion | None:
    """Return the proof that a vote is sealed; None if it is not sealed yet."""
    tiles: dict[Tile, bytes] = {}
    index = _index_of(session, vote_id, tiles)
    if index is None:
        return None
    row = session.connection().execute(_FIRST_SEAL_OVER, {"index": index}).first()
    if row is None:
        return None
    number, size, payload = row
    _read_path_tiles(session, index, size, tiles)
    tree = Tree(lambda level, number: tiles[level, number])
    return Inclusion(
        seal=number,
        index=index,
        size=size,
        root=bytes.fromhex(read_payload(payload)["root"]),
        leaf=tree.leaf(index),
        path=tree.inclusion(index, size),
    )


# Built once: to build a statement takes longer than to run it.
_FIRST_SEAL_OVER = (
    select(Seal.number, Seal.size, Seal.payload)
    .where(Seal.size > bindparam("index", type_=BigInteger))
    .order_by(Seal.size, Seal.number)
    .limit(1)
)
_TILE_OF_VOTE = (
    select(SealTile.number, SealTile.votes, SealTile.hashes)
    .where(SealTile.level == 0, SealTile.first_vote <= bindparam("vote", type_=BigInteger))
    .order_by(SealTile.first_vote.desc())
    .limit(1)
)


@cache
def _tiles_of(levels: int) -> Select[int, int, bytes]:
    """Select two tiles of each level below `levels`, in one statement."""
    # One term for each tile: SQLite looks terms up by the key, but not pairs in a list.
    return select(SealTile.level, SealTile.number, SealTile.hashes).where(
        or_(
            *(
                and_(SealTile.level == level, SealTile.number == bindparam(f"{side}_{level}"))
                for level in range(levels)
                for side in ("first", "last")
            )
        )
    )


def _read_path_tiles(session: Session, index: int, size: int, tiles: dict[Tile, bytes]) -> None:
    """Read the tiles that a proof needs: those above a leaf, and those at the right edge."""
    first, last, level = index // WIDTH, (size - 1) // WIDTH, 0
    numbers: dict[str, int] = {}
    needed: set[Tile] = set()
    while True:
        numbers |= {f"first_{level}": first, f"last_{level}": last}
        needed |= {(level, first), (level, last)}
        level += 1
        if last == 0:
            break
        first, last = first // WIDTH, last // WIDTH
    if needed <= tiles.keys():
        return
    for found, number, hashes in session.connection().execute(_tiles_of(level), numbers):
        tiles[found, number] = bytes(hashes)


def _index_of(session: Session, vote_id: int, tiles: dict[Tile, bytes]) -> int | None:
    """The index of a vote's leaf; its tile, if it was read to find it, is put into `tiles`."""
    tile = session.connection().execute(_TILE_OF_VOTE, {"vote": vote_id}).first()
    if tile is not None:
        number, votes, hashes = tile
        in_tile = unpack_numbers(votes or b"")
        if vote_id in in_tile:
            tiles[0, number] = bytes(hashes)
            return int(number) * WIDTH + in_tile.index(vote_id)
    for seal in session.scalars(select(Seal).where(Seal.late > 0).order_by(Seal.number)):
        late = late_numbers(seal)
        if vote_id in late:
            return seal.size - len(late) + late.index(vote_id)
    return None


def sealed_numbers(session: Session, first: int, last: int) -> Iterable[int]:
    """Yield the numbers of the sealed votes from one index to before another."""
    query = select(SealTile.votes).where(
        SealTile.level == 0,
        SealTile.number >= first // WIDTH,
        SealTile.number <= (last - 1) // WIDTH,
    )
    parts = session.scalars(query.order_by(SealTile.number))
    everything = unpack_numbers(b"".join(part or b"" for part in parts))
    start = first - first // WIDTH * WIDTH
    yield from everything[start : start + last - first]


def unpack_numbers(data: bytes) -> tuple[int, ...]:
    """The numbers of votes in a tile, or in several side by side: big-endian, 8 bytes each."""
    return struct.unpack(f">{len(data) // 8}q", data)


def published_seals(session: Session, *, first: int = 0, limit: int | None = None) -> list[Any]:
    """Return seals as the API and releases publish them, in order, from a number on."""
    query = select(Seal.payload, Seal.signature).where(Seal.number >= first).order_by(Seal.number)
    return [published_seal(*row) for row in session.execute(query.limit(limit))]


def find_seal(session: Session, number: int) -> Seal:
    """Return a seal.

    Raises:
        NotFound: there is no seal of this number.
    """
    seal = session.get(Seal, number)
    if seal is None:
        raise NotFound(f"There is no seal {number}: /api/v1/seals lists them all.")
    return seal


def root_of_seal(seal: Seal) -> str:
    """Return the root that a seal states, in hexadecimal."""
    return str(read_payload(seal.payload)["root"])


def prove_consistency(session: Session, first: Seal, second: Seal) -> list[bytes]:
    """Return the proof that the later of two seals covers all votes of the earlier one, unchanged.

    Raises:
        NotFound: the first is the later one.
    """
    if first.size > second.size:
        raise NotFound("A later seal cannot be in an earlier one: exchange first and second.")
    return stored_tree(session).consistency(first.size, second.size)
