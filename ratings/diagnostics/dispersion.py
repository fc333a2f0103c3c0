"""By how much the wins of pairs vary beyond the binomial because votes of one voter are alike.

The statistic of a fit is a sum over cells of r^2 / w, with r the wins less those expected and w
their binomial variance. Under dependence its mean is the sum of V / w, with V the variance of r by
voters, instead of the degrees of freedom; their ratio is the dispersion (the first-order correction
of Rao and Scott 1981). A voter's part in r is its own residuals in the cell, less what its votes
moved the fitted strengths. Residuals are taken about the share of their own cell, where it has two
voters or more, so that a wrong model is not taken for varied voters.
"""

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from ratings.arrays import Codes, Floats
from ratings.inference.clusters import cluster_codes
from ratings.inference.uncertainty import squared_counts
from ratings.inference.vote_scores import VoteScores, score_votes
from ratings.model.bradley_terry import BradleyTerry
from ratings.model.design import SIDE
from ratings.votes.battles import Battles
from ratings.votes.columns import Outcome


class Cells(NamedTuple):
    """Pairs of models and what is expected of them, each of the shape (cells,)."""

    wins: Floats  # of the left model, summed weights
    votes: Floats  # summed weights
    trials: Floats  # votes of weight 1 that would tell as much
    chance: Floats  # of the left model, fitted
    leverage: Floats  # share of the cell's variance that the fit takes up


class Dispersion(NamedTuple):
    """Spread of the residuals of cells.

    Attributes:
        factor: the dispersion, 1 (binomial) or more.
        df: degrees of freedom of the factor; infinite where it is known.
        variance: of each cell's residual wins, shape (cells,).
    """

    factor: float
    df: float
    variance: Floats


def fitted_cells(battles: Battles, fit: BradleyTerry) -> Cells:
    """The cells of a fit under ties="drop" and both_bad="drop"."""
    design = fit.design
    votes = design.counts[: Outcome.TIE].sum(axis=0)
    squares = squared_counts(battles, fit).counts[: Outcome.TIE].sum(axis=0)
    chance = np.exp(design.evaluate(fit.params).log_probability[Outcome.A])
    to_gap = _to_log_odds(fit)
    inverse = design.invert(design.information(fit.params))
    leverage = votes * chance * (1 - chance) * ((to_gap @ inverse) * to_gap).sum(axis=1)
    return Cells(design.counts[Outcome.A], votes, votes**2 / squares, chance, leverage)


def dispersion_by_voter(
    battles: Battles, fit: BradleyTerry, cells: Cells, columns: tuple[str, ...], df: int
) -> Dispersion:
    """The dispersion, and the variance of each cell: no smaller than its own voters' spread.

    Args:
        battles: the votes.
        fit: as `fitted_cells` takes it.
        cells: of the fit.
        columns: the column of voters; none where every vote is independent.
        df: cells less strengths.
    """
    binomial = (cells.votes**2 / cells.trials) * cells.chance * (1 - cells.chance)
    by_vote = binomial * (1 - cells.leverage)
    if not columns or df < 1:
        return Dispersion(1.0, np.inf, by_vote)
    votes = score_votes(battles, fit)
    voter = cluster_codes(votes, battles, columns).astype(np.intp)
    cell, voter, part = _parts(votes, voter, fit, cells)
    voters = int(voter.max()) + 1
    to_gap = _to_log_odds(fit)
    curve = cells.votes * cells.chance * (1 - cells.chance)
    by_cell = csr_array((part, (voter, cell)), shape=(voters, len(cells.wins)))
    moved = (by_cell @ to_gap) @ fit.design.invert(fit.design.information(fit.params))
    gap = moved[voter, fit.design.left[cell]] - moved[voter, fit.design.right[cell]]
    side = fit.design.index_of(SIDE)
    if side is not None:
        gap = gap + moved[voter, side]
    shift = part * gap * curve[cell]
    together = to_gap.T @ (to_gap * (curve**2 / binomial)[:, None])
    each = np.bincount(voter, (part**2 - 2 * shift) / binomial[cell], minlength=voters)
    each = each + ((moved @ together) * moved).sum(axis=1)
    own = np.bincount(cell, part**2 - 2 * shift, minlength=len(cells.wins))
    own = own + curve**2 * ((to_gap @ (moved.T @ moved)) * to_gap).sum(axis=1)
    # Voters more alike than chance allows are an accident, or copies: never less than binomial.
    factor = max(1.0, float(each.sum() / (1 - cells.leverage).sum()))
    spread = float(((each - each.mean()) ** 2).sum()) * voters / max(voters - 1, 1)
    known = 2 * float(each.sum()) ** 2 / spread if spread > 0 else np.inf
    return Dispersion(factor, max(known, 1.0), np.maximum(factor * by_vote, own))


def _to_log_odds(fit: BradleyTerry) -> Floats:
    """From parameters to the gap of each cell, (cells, n_params); a side is the only extra."""
    design = fit.design
    matrix = np.zeros((len(design.left), design.n_params))
    cells = np.arange(len(design.left))
    matrix[cells, design.left], matrix[cells, design.right] = 1, -1
    matrix[:, design.size :] = 1
    return matrix


def _parts(
    votes: VoteScores, voter: Codes, fit: BradleyTerry, cells: Cells
) -> tuple[Codes, Codes, Floats]:
    """Each voter's residual wins in each cell that it met: codes of cell and voter, and the sum."""
    design, size = fit.design, len(cells.wins)
    of_pair = np.full((design.size,) * 2, -1)
    of_pair[design.left, design.right] = np.arange(size)
    turned = of_pair[votes.left, votes.right] < 0
    cell = np.where(turned, of_pair[votes.right, votes.left], of_pair[votes.left, votes.right])
    won = (votes.outcome == Outcome.A) != turned
    key, place = np.unique(voter * size + cell, return_inverse=True)
    weight = np.bincount(place, votes.weight).astype(np.float64)
    wins = np.bincount(place, votes.weight * won).astype(np.float64)
    voter, cell = key // size, key % size
    # As many voters of equal weight would have met the cell.
    voters = cells.votes**2 / np.bincount(cell, weight**2, minlength=size)
    several = voters >= 2
    centre = np.where(several, cells.wins / cells.votes, cells.chance)
    grown = np.where(several, np.sqrt(voters / np.maximum(voters - 1, 1)), 1.0)
    part: Floats = (wins - weight * centre[cell]) * grown[cell]
    return cell, voter, part
