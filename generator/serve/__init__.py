"""Any entrants as an OpenAI Videos API, for the official client and whatever else speaks it.

`app` has the routes, `service` what they do, `terms` the rules for sizes, lengths and sound, `work`
the queue and the processes that make clips, `store` what is kept, `forms` how a request is read.
"""

from generator.serve.server import ServeOptions, serve

__all__ = ["ServeOptions", "serve"]
