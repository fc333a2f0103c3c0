"""Foal's world: what a caption describes, rendered exactly, with its sound.

Start with `clip`, which renders a caption; `scenes` holds what a scene consists of.
May import: numpy and scipy only, no model.
"""
