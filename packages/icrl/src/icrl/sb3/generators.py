"""The global generators that Stable-Baselines3 seeds and draws from, kept to itself."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def own_globals() -> Iterator[None]:
    """SB3 seeds and draws from global generators: give it one thread and leave the generators as
    they were.
    """
    python, threads = random.getstate(), torch.get_num_threads()
    numpy = np.random.get_state()  # noqa: NPY002 (what SB3 uses)
    # `torch.manual_seed`, which SB3 calls, also seeds every CUDA device.
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    with torch.random.fork_rng(devices=devices):
        torch.set_num_threads(1)  # its networks are small; results also depend on the number
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002
