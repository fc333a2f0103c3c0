"""Imported once by the fork server: every process inherits the worker's code and the measures."""

import generator.engine.inside  # noqa: F401
from generator.measure import find_measures

find_measures()
