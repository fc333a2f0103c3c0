"""URLs of clips and sources: signed for one battle, file and voter, saying nothing about the clip.

Not covered: somebody who has both the URL and the voter's cookie can watch the clip.
"""

import hashlib
from functools import lru_cache, partial

from itsdangerous import BadSignature, Signer

from arena.errors import NotFound
from arena.models import BattleFile
from arena.voting.served_files import NO_CLIP

CLIP_SUFFIX = ".mp4"
RECENT_VOTERS = 4096
SUFFIXES = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "image/gif": ".gif",
    "video/mp4": CLIP_SUFFIX,
    "video/webm": ".webm",
}


class ClipUrls:
    """Sign and verify `/clip/…` URLs with the arena's key."""

    def __init__(self, secret: str, *, base_path: str = "") -> None:
        self._base_path = base_path
        # A vote's answer has four URLs of one voter: their key is derived once.
        self._signer = lru_cache(maxsize=RECENT_VOTERS)(partial(_signer_of, secret))

    def make(
        self, *, battle_id: int, file: BattleFile, voter_key: str, media_type: str = "video/mp4"
    ) -> str:
        """The URL path of a file of a battle, for one voter."""
        name = self._signer(voter_key).sign(f"{battle_id}-{file.value}").decode()
        return f"{self._base_path}/clip/{name}{SUFFIXES.get(media_type, '')}"

    def read(self, name: str, *, voter_key: str) -> tuple[int, BattleFile]:
        """The battle's id and the file in a name made by `make`.

        Raises:
            NotFound: the name is forged, or another voter's.
        """
        try:
            signed = self._signer(voter_key).unsign(_without_suffix(name)).decode()
            battle_id, _, file = signed.partition("-")
            return int(battle_id), BattleFile(file)
        except (BadSignature, ValueError) as error:
            raise NotFound(NO_CLIP) from error


def _signer_of(secret: str, voter_key: str) -> Signer:
    # The voter is part of the salt, so another voter's URL has an invalid signature.
    salted = Signer(secret, salt=f"arena.clip.{voter_key}", digest_method=hashlib.sha256)
    return Signer(salted.derive_key(), key_derivation="none", digest_method=hashlib.sha256)


def _without_suffix(name: str) -> str:
    """Remove the suffix; signatures contain dots too."""
    for suffix in SUFFIXES.values():
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return name
