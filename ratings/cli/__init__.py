"""The command line `python -m ratings`: options, reports and their formatting.

Start with `options`, which parses the command line; `reports` computes the tables that
`report_kinds` lists, `describe` words their captions, `tables` formats them. Only
`ratings.__main__` imports this folder; it may import all of `ratings`.
"""
