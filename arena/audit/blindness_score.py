"""How well a classifier distinguishes entrants by one group of features.

A score is the probability that the classifier ranks a clip of the entrant above a clip of another
entrant of the same prompt (AUC, one against the rest, within prompts): 0.5 is chance. The
classifier never saw the prompt. Prompts are the independent units, so intervals are over prompts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from arena.errors import ConfigurationError

FOLDS = 6
TREES = 100
CHANCE = 0.5
MIN_PROMPTS = 4
MAX_FEATURES = 4000  # per sample; longer vectors are cut, after constant columns


@dataclass(frozen=True)
class Sample:
    """One observation: the entrant and prompt that it belongs to, and its features."""

    entrant: str
    prompt: str
    features: Sequence[float]


@dataclass(frozen=True)
class Score:
    """The score of one entrant in one group, and its interval at the corrected confidence."""

    entrant: str
    score: float
    lower: float
    upper: float
    samples: int
    prompts: int

    @property
    def width(self) -> float:
        """The width of the interval."""
        return self.upper - self.lower

    @property
    def interval(self) -> tuple[float, float, float]:
        """The score and the ends of its interval."""
        return self.score, self.lower, self.upper


def score_entrants(samples: Sequence[Sample], *, alpha: float, seed: int = 0) -> list[Score]:
    """Score every entrant of the samples.

    Args:
        samples: of one group; at least `MIN_PROMPTS` prompts with two entrants each.
        alpha: probability that one interval misses, both sides together.
        seed: of the classifier.

    Raises:
        ConfigurationError: scikit-learn is not installed.
        ValueError: there are too few prompts.
    """
    entrants = sorted({sample.entrant for sample in samples})
    labels = np.array([entrants.index(sample.entrant) for sample in samples])
    names = sorted({sample.prompt for sample in samples})
    prompts = np.array([names.index(sample.prompt) for sample in samples])
    if len(names) < MIN_PROMPTS:
        raise ValueError(f"{len(names)} prompts are too few to split by prompt")
    features = _matrix(samples, prompts)
    if features.shape[1] == 0:  # nothing differs
        probabilities = np.zeros((len(samples), len(entrants)))
    else:
        probabilities = _predict(features, labels, prompts, classes=len(entrants), seed=seed)
    return [
        _score(name, labels == index, probabilities[:, index], prompts, alpha=alpha)
        for index, name in enumerate(entrants)
    ]


def _matrix(samples: Sequence[Sample], prompts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the features that differ, and how each differs from the mean of its prompt."""
    rows = list(zip_longest(*(sample.features for sample in samples), fillvalue=-1.0))
    if not rows:
        return np.zeros((len(samples), 0))
    columns = np.array(rows, float).T
    columns = columns[:, columns.min(axis=0) != columns.max(axis=0)][:, :MAX_FEATURES]
    centred = columns.copy()
    for prompt in np.unique(prompts):
        centred[prompts == prompt] -= columns[prompts == prompt].mean(axis=0)
    return np.concatenate([columns, centred], axis=1)


def _predict(
    features: NDArray[np.float64],
    labels: NDArray[np.int64],
    prompts: NDArray[np.int64],
    *,
    classes: int,
    seed: int,
) -> NDArray[np.float64]:
    """Return the probability of each entrant, from classifiers that did not see the prompt."""
    try:
        from sklearn.ensemble import ExtraTreesClassifier
    except ImportError as error:
        raise ConfigurationError(
            "The audit of blindness needs scikit-learn: run `pip install 'hippodrome[audit]'`."
        ) from error
    probabilities = np.zeros((len(labels), classes))
    folds = np.random.default_rng(seed).permutation(prompts.max() + 1) % FOLDS
    for fold in range(FOLDS):
        test = folds[prompts] == fold
        if not test.any() or test.all():
            continue
        trees = ExtraTreesClassifier(
            TREES, min_samples_leaf=2, class_weight="balanced", random_state=seed, n_jobs=1
        )
        trees.fit(features[~test], labels[~test])
        probabilities[np.ix_(test, trees.classes_)] = trees.predict_proba(features[test])
    return probabilities


def _score(
    name: str,
    is_own: NDArray[np.bool_],
    scores: NDArray[np.float64],
    prompts: NDArray[np.int64],
    *,
    alpha: float,
) -> Score:
    by_prompt = []
    for prompt in np.unique(prompts[is_own]):
        here = prompts == prompt
        own, others = scores[here & is_own], scores[here & ~is_own]
        if len(others):
            difference = own[:, None] - others[None, :]
            by_prompt.append(((difference > 0) + 0.5 * (difference == 0)).mean())
    count = len(by_prompt)
    mean = float(np.mean(by_prompt)) if by_prompt else CHANCE
    half = 0.5
    if count > 1:
        error = float(np.std(by_prompt, ddof=1)) / math.sqrt(count)
        half = float(stats.t.ppf(1 - alpha / 2, count - 1)) * error
    return Score(
        name,
        mean,
        max(0.0, mean - half),
        min(1.0, mean + half),
        samples=int(is_own.sum()),
        prompts=count,
    )
