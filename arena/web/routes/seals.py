"""`/api/v1/seals`: the signed seals over all votes, and proofs that a later one extends an earlier.

Everything is public: whoever keeps the last root can check every later seal against it.
"""

import base64
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from arena.audit import keys, proofs
from arena.context import Arena

PAGE = 100  # seals in one answer


def encode_path(path: Sequence[bytes]) -> str:
    """Return the hashes of a proof, 32 bytes each, side by side in base64."""
    return base64.b64encode(b"".join(path)).decode()


class SealResponse(BaseModel):
    payload: dict[str, Any] = Field(description="what the seal states; signed as canonical JSON")
    hash: str = Field(description="SHA-256 of the payload, which the next seal names")
    signature: str = Field(description="Ed25519, over `hippodrome seal 1\\n` and the payload")


class SealsResponse(BaseModel):
    keys: list[dict[str, Any]] = Field(
        description="each signed by the one before it, unless its statement says `lost`"
    )
    seals: list[SealResponse]
    next: int | None = Field(description="`first` of the next page; null: this is the last one")


class SealRoot(BaseModel):
    seal: int
    size: int
    root: str


class ConsistencyResponse(BaseModel):
    first: SealRoot
    second: SealRoot
    path: str = Field(description="RFC 6962, 2.1.2: hashes of 32 bytes, side by side in base64")


def make_router(arena: Arena) -> APIRouter:
    """The routes for one arena."""
    router = APIRouter(prefix="/api/v1")

    @router.get("/seals", response_model=SealsResponse)
    def list_seals(
        first: int = Query(0, ge=0, description="number of the first seal"),
        limit: int = Query(PAGE, ge=1, le=PAGE),
    ) -> JSONResponse:
        """The keys, and the seals from a number on, in order."""
        with arena.database.reading() as session:
            found = proofs.published_seals(session, first=first, limit=limit + 1)
            public_keys = keys.list_keys(session)
        more = first + limit if len(found) > limit else None
        return JSONResponse({"keys": public_keys, "seals": found[:limit], "next": more})

    @router.get("/seals/consistency")
    def get_consistency(first: int, second: int) -> ConsistencyResponse:
        """The proof that a seal covers all votes of an earlier one, in the same order."""
        with arena.database.reading() as session:
            pair = [proofs.find_seal(session, number) for number in (first, second)]
            path = proofs.prove_consistency(session, *pair)
        roots = [
            SealRoot(seal=seal.number, size=seal.size, root=proofs.root_of_seal(seal))
            for seal in pair
        ]
        return ConsistencyResponse(first=roots[0], second=roots[1], path=encode_path(path))

    return router
