"""A benchmark of Foal's architecture at full size: 15.3 billion parameters, random weights.

`bench` runs `python -m generator bench`; start reading there, then `runner` (one clip, stage by
stage), `generate` (denoising) and `decode`. Sizes come from the TOML files in `configs/`.
May import: `generator.foal.model.blocks` and `noise_schedule`, `generator.backends.meter`,
`generator.media`, and the modules below them.
"""
