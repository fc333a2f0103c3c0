"""Foal's synthetic world: captioned clips with sound, rendered from a simulated scene.

`scenes` and `captions` say what a scene contains, `physics` moves it, `render` and `sound` turn the
motion into frames and a waveform, `edits` changes scenes by instruction. Start with `clip`.
May import numpy, scipy, Pillow and, for files, `generator.clips`, `generator.media` and
`generator.spec`; no model, measure or training code.
"""
