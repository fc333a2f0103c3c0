"""URLs of clips and sources: signed for one battle, file and voter, saying nothing about the clip.

Not covered: somebody who has both the URL and the voter's cookie can watch the clip.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from functools import lru_cache, partial

from itsdangerous import Signer

from arena.errors import NotFound
from arena.models import BattleFile
from arena.voting.served_files import NO_CLIP

CLIP_SUFFIX = ".mp4"
RECENT_VOTERS = 4096
SIGNATURE_BYTES = 24
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
        # Derived once for each voter.
        self._key = lru_cache(maxsize=RECENT_VOTERS)(partial(_key_of, secret))

    def make(
        self, *, battle_id: int, file: BattleFile, voter_key: str, media_type: str = "video/mp4"
    ) -> str:
        """The URL path of a file of a battle, for one voter."""
        name = f"{battle_id}-{file.value}"
        signature = _sign(name, self._key(voter_key))
        return f"{self._base_path}/clip/{name}.{signature}{SUFFIXES.get(media_type, '')}"

    def read(self, name: str, *, voter_key: str) -> tuple[int, BattleFile]:
        """The battle's id and the file in a name made by `make`.

        Raises:
            NotFound: the name is forged, or another voter's.
        """
        signed, _, signature = _without_suffix(name).rpartition(".")
        expected = _sign(signed, self._key(voter_key))
        try:
            if not hmac.compare_digest(signature.encode(), expected.encode()):
                raise NotFound(NO_CLIP)
            battle_id, _, file = signed.partition("-")
            return int(battle_id), BattleFile(file)
        except ValueError as error:
            raise NotFound(NO_CLIP) from error


def _key_of(secret: str, voter_key: str) -> bytes:
    # The voter is part of the salt, so another voter's URL has an invalid signature.
    salted = Signer(secret, salt=f"arena.clip.{voter_key}", digest_method=hashlib.sha256)
    return salted.derive_key()


def _sign(name: str, key: bytes) -> str:
    # Keyed BLAKE2 (RFC 7693, 2.5) is a tenth of the work of HMAC: a vote's answer has four URLs.
    digest = hashlib.blake2b(name.encode(), digest_size=SIGNATURE_BYTES, key=key).digest()
    return urlsafe_b64encode(digest).decode()


def _without_suffix(name: str) -> str:
    """Remove the suffix; signatures contain dots too."""
    for suffix in SUFFIXES.values():
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return name
