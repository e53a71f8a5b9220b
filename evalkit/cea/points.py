"""Points of the unit interval for each named quantity: random, Latin hypercube or Sobol.

Every quantity has a stream of its own name (`distributions.stream`). Random points and Latin hypercubes depend on
nothing else, whatever stands beside them. A Sobol sequence needs a dimension for each: the one of its place in the
list, shifted digit by digit by its own stream, so that a quantity added at the end moves no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from ..core import UserError
from .distributions import stream

Sampling = Literal["random", "lhs", "sobol"]
_BITS = 30
_EDGE = 2.0**-53


def points(names: Sequence[str], n: int, seed: int, sampling: Sampling = "random") -> dict[str, np.ndarray]:
    """(n,) points strictly between 0 and 1 by name.

    "random" independent; "lhs" one point in each of n equal slices, in random order; "sobol" the first n points of the
    sequence, evenly spread over all quantities together, best with n a power of two.
    Raises UserError("unknown_sampling"). Sobol points beyond some 20 quantities are no better than random ones.
    """
    if sampling not in get_args(Sampling):
        raise UserError("unknown_sampling", found=sampling, known=", ".join(get_args(Sampling)))
    if sampling == "random":
        found = {name: stream(seed, name).random(n) for name in names}
    elif sampling == "lhs":
        found = {name: _slices(seed, name, n) for name in names}
    else:
        found = _sobol(names, n, seed)
    return {name: np.clip(u, _EDGE, 1 - _EDGE) for name, u in found.items()}


def _slices(seed: int, name: str, n: int) -> np.ndarray:
    from scipy.stats import qmc

    return np.asarray(qmc.LatinHypercube(d=1, seed=stream(seed, name)).random(n)[:, 0])


def _sobol(names: Sequence[str], n: int, seed: int) -> dict[str, np.ndarray]:
    import warnings

    from scipy.stats import qmc

    if not names:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # n that is no power of two: said in the docstring
        plain = qmc.Sobol(d=len(names), scramble=False, bits=_BITS).random(n)
    whole = (plain * 2**_BITS).astype(np.int64)
    shift = np.array([stream(seed, name).integers(2**_BITS) for name in names])
    moved = ((whole ^ shift) + 0.5) / 2**_BITS
    return {name: moved[:, j] for j, name in enumerate(names)}
