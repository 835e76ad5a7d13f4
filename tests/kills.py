"""How often the tests of kills kill: MAG_KILL_ROUNDS=50 python -m pytest -k kill"""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np

USUAL_ROUNDS = 4


def kill_rounds() -> Iterator[np.random.Generator]:
    """A source of random moments for each round; MAG_KILL_ROUNDS says how many."""
    for seed in range(int(os.environ.get("MAG_KILL_ROUNDS", USUAL_ROUNDS))):
        yield np.random.default_rng(seed)
