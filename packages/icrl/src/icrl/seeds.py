"""Seeds drawn from a seed: one number that a user gives starts several streams, none of which tells
of another.
"""

import numpy as np

POLICY, NOISE, ROW_TASKS = 0x9011C7, 0x2015E, 0x7A5C5


def noise_seed(seed: int) -> int:
    """The seed of an environment's noise: apart from `seed` itself, with which tasks are drawn."""
    return derived_seed(seed, NOISE)


def derived_seed(seed: int, stream: int) -> int:
    """The seed of a stream (one of the constants above) that a user's seed starts."""
    state = np.random.SeedSequence([seed, stream]).generate_state(1, np.uint64)[0]
    return int(state >> 1)
