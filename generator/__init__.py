"""Generates clips from entrants' specs, prompts and track settings.

Start with `spec` (entrants, tracks), `clips` (requests and results) and `engine` (many requests in,
clips out). `backends` run the models, `media` encodes and checks files, `serve` is an HTTP server,
`foal` the built-in model and `fullsize` a speed benchmark. Nothing here may import `arena` or
`ratings`.
"""
