"""The command line, one file per group of commands.

Start with `cli`, which registers the commands and reports failures. May import every other package,
but only inside the commands that need it, so that help and short commands start at once.
"""
