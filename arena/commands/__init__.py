"""The command line, one file per group of commands.

Start with `cli`, which registers the commands and reports failures. May import every other package;
those that load torch or pyarrow are imported only inside the commands that need them.
"""
