"""The seeds of clips: secret until the track closes, and the same for all entrants.

With seeds that anybody can guess, everybody who has a model's weights can make the clips that the
arena serves beforehand, byte for byte, and recognize them in a battle.
"""

import hashlib
import hmac
import json

SEED_BITS = 31  # every service and framework accepts a seed of this size


def generation_seed(seed_key: str, *, track: str, prompt_id: str, number: int) -> int:
    """Return the seed of a prompt's n-th clips, from 0 to 2**31 - 1.

    Args:
        seed_key: `Settings.seed_key()` of the arena.
        track: the track's name.
        prompt_id: the prompt.
        number: which of the track's seeds, from 0 on.
    """
    message = json.dumps([track, prompt_id, number], separators=(",", ":"), ensure_ascii=False)
    digest = hmac.new(seed_key.encode(), message.encode(), hashlib.sha256).digest()
    return int.from_bytes(digest[:8]) >> (64 - SEED_BITS)
