"""Training of Foal's networks on clips that are generated on the fly.

`train` runs the stages in order; each `*_training` module samples the batches and computes the loss
of one network, `distillation` those of the few-step student. `loop`, `checkpoints`, `config`,
`quality_gate` and `contact_sheets` are shared. Start with `train`, which
`python -m generator train` runs. May import everything else in `generator.foal`.
"""
