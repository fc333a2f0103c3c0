"""Imported once by the fork server: every process inherits the worker's code and the measures."""

import generator.engine.worker_main  # noqa: F401
from generator.measures import find_measures

find_measures()
