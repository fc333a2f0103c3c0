"""The openai backend: models behind a server with the OpenAI Videos API.

`backend.OpenaiBackend` is the place to start; `options` validates the spec, `client` talks to the
server, `orders` sends an order once, `messages` and `statuses` read what servers say, `responses`
limits what they send, `rate_limit` spaces requests across processes. It imports no other backend.
"""

from generator.backends.openai.backend import OpenaiBackend

__all__ = ["OpenaiBackend"]
