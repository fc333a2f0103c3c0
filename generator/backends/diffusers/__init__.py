"""The diffusers backend: any video pipeline of the diffusers library as an entrant.

Start with `backend.DiffusersBackend`. It imports no other backend.
"""

from generator.backends.diffusers.backend import DiffusersBackend

__all__ = ["DiffusersBackend"]
