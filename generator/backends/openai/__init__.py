"""The openai backend: entrants behind a server of the OpenAI Videos API.

Start with `backend.OpenaiBackend`; `client` speaks HTTP. It imports no other backend.
"""

from generator.backends.openai.backend import OpenaiBackend

__all__ = ["OpenaiBackend"]
