"""The diffusers backend: runs any video pipeline of the diffusers library.

`backend.DiffusersBackend` is the place to start. Before loading: `options` validates the spec,
`weights` the folder, `memory_check` the size. Then `loading` loads the pipeline, `arguments` and
`sources` build its call, `oom_fallback` runs it, `outputs` reads the result. It imports no other
backend.
"""

from generator.backends.diffusers.backend import DiffusersBackend

__all__ = ["DiffusersBackend"]
