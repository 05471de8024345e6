"""The layouts of a MiniGrid level: what its seeds lay out, and which split a layout belongs to."""

import hashlib
from functools import cache
from typing import Any

import numpy as np

from icrl.errors import TaskError
from icrl.wrapped.ids import find_spec, make

SEEDS = 2**31 - 1
HELD_OUT = 5
"""One of so many layouts is held out."""
PROBED, SURVEYED = 128, 2000
"""Seeds whose layouts are counted: if more than one of the first repeats, the level is a small one
and its tasks are the layouts that the second, larger number of seeds shows."""
MOST_TRIES = 1000
"""Seeds looked at for each task that is asked for, before giving up."""


class Layouts:
    """What the seeds of a level lay out."""

    def __init__(self, level: str) -> None:
        self._level = level
        self._env: Any = make(find_spec(level), {}).unwrapped
        seen = {self.content(seed) for seed in range(PROBED)}
        self.few: list[int] = []
        """A seed for each layout of a small level; empty for all others."""
        if len(seen) < PROBED - 1:
            first = {self.content(seed): seed for seed in reversed(range(SURVEYED))}
            self.few = sorted(first.values())

    def content(self, seed: int) -> bytes:
        """What a layout is made of: the grid, the agent's place and direction, the mission."""
        env = self._env
        env.reset(seed=seed)
        start = [*map(int, env.agent_pos), int(env.agent_dir)]
        return env.grid.encode().tobytes() + bytes(start) + env.mission.encode()

    def found(self, num_layouts: int, split: str, *, seed: int, split_seed: int) -> list[int]:
        """Seeds of different layouts of a split, looked for in an order that `seed` fixes.

        Raises:
            TaskError: if so many are not to be found, and for a seed below zero.
        """
        if seed < 0:
            raise TaskError(f"seed={seed}: expected 0 or more, to draw tasks of {split}.")
        candidates = np.random.default_rng(seed)
        found: dict[bytes, int] = {}
        for _ in range(MOST_TRIES * num_layouts):
            candidate = int(candidates.integers(SEEDS))
            content = self.content(candidate)
            if is_held_out(content, split_seed) == (split == "test"):
                found.setdefault(content, candidate)
            if len(found) == num_layouts:
                return list(found.values())
        raise TaskError(
            f"{num_layouts} tasks asked of {self._level} ({split}); {MOST_TRIES * num_layouts} "
            f"seeds show {len(found)} different layouts."
        )


@cache
def layouts_of(level: str) -> Layouts:
    """The layouts of a level, looked at once in a process."""
    return Layouts(level)


def is_held_out(content: bytes, split_seed: int) -> bool:
    """Whether a layout is for tests: decided by its content, so that no seed brings it back."""
    salted = hashlib.sha256(content + str(split_seed).encode()).digest()
    return int.from_bytes(salted[:8], "big") % HELD_OUT == 0
