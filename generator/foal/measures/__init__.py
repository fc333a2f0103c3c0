"""Measured quality of clips of Foal's world: prompt following, motion, sound.

Start with `measure.measure_clip`.
May import: `generator.foal.world`.
"""
