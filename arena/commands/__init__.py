"""The command line, one file per group of commands.

Start with `cli`, which registers the commands and reports failures. Imports every other package of
the arena, torch and pyarrow only inside a command that needs them; nothing imports it.
"""
