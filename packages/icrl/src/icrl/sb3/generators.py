"""What Stable-Baselines3 takes from the whole process, kept to itself: generators and threads."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from gymnasium import Space

from icrl.sb3_fitting import has_images


@contextmanager
def own_globals(observation_space: Space | None = None) -> Iterator[None]:
    """SB3 seeds and draws from global generators: leave these as they were, and give it threads
    that suit its networks.

    Those that see no image are small: they get one thread, whatever torch has, and so their results
    do not depend on the machine's cores. Convolutions get all that torch has, and results change
    in the last digits with the number. With `OMP_NUM_THREADS=1` that is one, too: for results that
    repeat anywhere, and for runs that share cores, whose threads would wait for each other.

    Args:
        observation_space: what is learned from, or the learner's view of it; None: no images.
    """
    python, threads = random.getstate(), torch.get_num_threads()
    numpy = np.random.get_state()  # noqa: NPY002 (what SB3 uses)
    # `torch.manual_seed`, which SB3 calls, also seeds every CUDA device.
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    with torch.random.fork_rng(devices=devices):
        if observation_space is None or not has_images(observation_space):
            torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002
