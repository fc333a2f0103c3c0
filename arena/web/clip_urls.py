"""Addresses of clips: signed for one battle, one side and one voter; they say nothing of the clip.

Not covered: whoever has both the address and the voter's cookie can watch, as the voter can.
"""

import hashlib

from itsdangerous import BadSignature, URLSafeSerializer

from arena.errors import NotFound
from arena.models import Side

CLIP_SUFFIX = ".mp4"


class ClipUrls:
    """Makes and reads `/clip/…` addresses under the arena's key."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def _serializer(self, voter_key: str) -> URLSafeSerializer:
        # The voter is part of the salt: another voter's address does not even verify.
        return URLSafeSerializer(
            self._secret,
            salt=f"arena.clip.{voter_key}",
            signer_kwargs={"digest_method": hashlib.sha256},
        )

    def make(self, *, battle_id: int, side: Side, voter_key: str) -> str:
        """The path under which this voter gets one side of this battle."""
        name = self._serializer(voter_key).dumps([battle_id, side.value])
        return f"/clip/{name}{CLIP_SUFFIX}"

    def read(self, name: str, *, voter_key: str) -> tuple[int, Side]:
        """The battle's id and the side of a name that `make` gave.

        Raises:
            NotFound: forged, or another voter's.
        """
        try:
            battle_id, side = self._serializer(voter_key).loads(name.removesuffix(CLIP_SUFFIX))
            return int(battle_id), Side(side)
        except (BadSignature, ValueError, TypeError) as error:
            raise NotFound("There is no clip at this address for you.") from error
