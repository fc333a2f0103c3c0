"""The api backend: models behind their makers' own HTTP APIs.

A provider file (`providers/*.toml`, read by `provider`) says how one API takes an order, reports on
it and hands over the file; `placing` carries an order out by it, through `http`. `settings` chooses
what to ask for, `tree` puts it into the body, `answers` reads what comes back. `entrants/` has
ready files of the models. A new API of the same kind needs a provider file and no code.
"""

from generator.backends.api.backend import ApiBackend

__all__ = ["ApiBackend"]
