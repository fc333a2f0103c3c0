"""Serve entrants through the OpenAI Videos API.

`app` holds the routes and `service` their logic; `forms` and `schemas` read requests, `catalog`
resolves a request to an entrant and a format, `queue` runs the jobs, `store` keeps the videos,
`middleware` checks the key and the body's size. Imports the engine and `generator.media`. Start
with `server`, then `app`.
"""

from generator.serve.server import ServeOptions, serve

__all__ = ["ServeOptions", "serve"]
