"""Linear models of embeddings, and how strongly they are regularised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from ..user_warnings import warn

Kind = Literal["logistic", "ridge"]
KINDS = ("logistic", "ridge")
# Inverse of the regularisation, as scikit-learn's C; ridge has 1 / C. The middle one where nothing decides.
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
_INNER_FOLDS = 4


def make_probe(kind: Kind = "logistic", strength: float = 1e-2) -> Any:
    """Return a pipeline of scikit-learn: standardised features, and a logistic or ridge classifier.

    Parameters
    ----------
    kind : {"logistic", "ridge"}
        The classifier.
    strength : float
        Inverse of the regularisation, above 0.

    Raises
    ------
    ValueError
        There is no such classifier.
    """
    from sklearn.linear_model import LogisticRegression, RidgeClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if kind not in KINDS:
        raise ValueError(f"probe is {kind!r}; expected one of {', '.join(KINDS)}")
    model = (
        LogisticRegression(C=strength, max_iter=1000) if kind == "logistic" else RidgeClassifier(alpha=1 / strength)
    )
    return make_pipeline(StandardScaler(), model)


def scores_of(probe: Any, features: np.ndarray) -> np.ndarray:
    """Return how much each case is a seizure to a fitted probe: a probability, or for ridge 0.5 at the border."""
    if hasattr(probe, "predict_proba"):
        return probe.predict_proba(features)[:, 1]
    return (probe.decision_function(features) + 1) / 2


def choose_strength(
    kind: Kind,
    features: np.ndarray,
    labels: np.ndarray,
    subjects: Sequence[str],
    strengths: Sequence[float] = STRENGTHS,
) -> float:
    """Choose the regularisation by average precision on subjects that are held back in turn.

    Parameters
    ----------
    kind : {"logistic", "ridge"}
        The classifier.
    features : np.ndarray
        (cases, features).
    labels : np.ndarray
        (cases,), 1 for seizure.
    subjects : Sequence[str]
        Of each case.
    strengths : Sequence[float]
        Values to try.

    Returns
    -------
    float
        The best one; the middle one, with a warning, where no part of the subjects can be held back.
    """
    from sklearn.metrics import average_precision_score
    from sklearn.model_selection import StratifiedGroupKFold

    names = np.asarray(subjects)
    folds = min(_INNER_FOLDS, *(len(set(names[labels == label])) for label in (0, 1)))
    parts = list(StratifiedGroupKFold(folds).split(features, labels, names)) if folds > 1 else []
    parts = [(train, test) for train, test in parts if len(set(labels[train])) == len(set(labels[test])) == 2]
    if not parts:
        warn("too few subjects have seizures to choose the regularisation of the probe on, so a middle one is taken")
        return strengths[len(strengths) // 2]

    def quality(strength: float) -> float:
        return float(
            np.mean(
                [
                    average_precision_score(
                        labels[test],
                        scores_of(make_probe(kind, strength).fit(features[train], labels[train]), features[test]),
                    )
                    for train, test in parts
                ]
            )
        )

    return max(strengths, key=quality)
