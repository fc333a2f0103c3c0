"""Training of Foal's networks.

Start with `train`, which `python -m generator train` runs.
May import: `generator.foal.model`, `generator.foal.world`, `generator.foal.measures`.
"""
