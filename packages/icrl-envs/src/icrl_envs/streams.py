"""Streams: the generator that a split without end draws its tasks from."""

import numpy as np
import torch

from icrl.errors import TaskError


def task_stream(split_seed: int, split: str, seed: int) -> torch.Generator:
    """A generator seeded by all three, so that no split ever draws another one's tasks.

    Where tasks are continuous, splits from such streams are disjoint with probability one.

    Raises:
        TaskError: for a seed below zero.
    """
    if seed < 0:
        raise TaskError(f"seed={seed}: expected 0 or more, to draw tasks of {split}.")
    entropy = [split_seed, seed, *split.encode()]
    state = np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> 1))
