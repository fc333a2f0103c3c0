"""What `python -m ratings` prints: reports, tables and sentences.

Start with `reports`. Only `ratings.__main__` imports this folder; it may import all of `ratings`.
"""
