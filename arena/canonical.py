"""The one form of JSON and of times that hashes and signatures are computed over.

Canonical JSON has sorted keys, no spaces and ASCII only: the same values give the same bytes in
every language. A time is ISO 8601 in UTC with `Z`, as it is stored.
"""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any


def canonical_json(value: Any) -> str:
    """Return the JSON text of a value that has neither NaN nor infinity."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def sha256_hex(text: str) -> str:
    """Return the SHA-256 of a text in UTF-8, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def instant_text(moment: datetime) -> str:
    """Return an aware time in UTC with `Z`, with its microseconds if it has any."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
