"""The miniature's full-size sibling: the same blocks at 15.3 billion parameters, timed.

Weights are random: what is shown here is how fast the design runs, not what it draws.
"""
