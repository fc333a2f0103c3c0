"""URLs of clips: signed for one battle, side and voter, with nothing in them about the clip.

Not covered: somebody who has both the URL and the voter's cookie can watch the clip.
"""

import hashlib

from itsdangerous import BadSignature, URLSafeSerializer

from arena.errors import NotFound
from arena.models import Side
from arena.voting.ballots import NO_CLIP

CLIP_SUFFIX = ".mp4"


class ClipUrls:
    """Sign and verify `/clip/…` URLs with the arena's key."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def _serializer(self, voter_key: str) -> URLSafeSerializer:
        # The voter is part of the salt, so another voter's URL has an invalid signature.
        return URLSafeSerializer(
            self._secret,
            salt=f"arena.clip.{voter_key}",
            signer_kwargs={"digest_method": hashlib.sha256},
        )

    def make(self, *, battle_id: int, side: Side, voter_key: str) -> str:
        """The URL path of one side of a battle, for one voter."""
        name = self._serializer(voter_key).dumps([battle_id, side.value])
        return f"/clip/{name}{CLIP_SUFFIX}"

    def read(self, name: str, *, voter_key: str) -> tuple[int, Side]:
        """The battle's id and the side in a name made by `make`.

        Raises:
            NotFound: the name is forged, or another voter's.
        """
        try:
            battle_id, side = self._serializer(voter_key).loads(name.removesuffix(CLIP_SUFFIX))
            return int(battle_id), Side(side)
        except (BadSignature, ValueError, TypeError) as error:
            raise NotFound(NO_CLIP) from error
