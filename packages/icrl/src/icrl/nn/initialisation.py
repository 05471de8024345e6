"""Initial weights from a generator of one's own, leaving torch's global one as it was."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def initial_weights(generator: torch.Generator) -> Iterator[None]:
    """Modules built inside, on the CPU, draw their initial weights from `generator` (a CPU one).

    torch's modules initialise themselves from the global generator and take no other, so that one
    is put aside for the while.
    """
    seed = int(torch.randint(2**62, (), generator=generator))
    before = torch.default_generator.get_state()
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        torch.default_generator.set_state(before)
