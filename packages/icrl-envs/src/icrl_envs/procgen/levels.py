"""Levels: which are held out. None of them looks like one that is trained on.

Seeds of levels are not levels: a fifth of the easy mazes come up again among other seeds
(github.com/openai/procgen, issue 100, which compares first frames as we do).
"""

from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import numpy as np

from icrl.errors import TaskError
from icrl_envs.procgen.games import LEVELS, Difficulty

FIRST_HELD_OUT = 2**30
"""Levels below may train, test levels are drawn from those above."""
BARE = {"center_agent": False, "use_backgrounds": False, "restrict_themes": True}
"""Options with which a first frame has no paint, and shows all of a level that a game can show."""
AT_ONCE = 64
"""Levels that are opened together."""
PATIENCE = 16
"""So many times as many levels as are wanted are opened before the search is given up."""

Opening = tuple[int, np.ndarray, np.ndarray]
"""A level and the frames that open it, [height, width, 3] uint8: as an agent sees it, and bare."""


@lru_cache(maxsize=64)
def held_out(
    difficulty: Difficulty, num_train: int, num_test: int, split_seed: int
) -> tuple[int, ...]:
    """The test levels: drawn by `split_seed`, leaving out each that opens, shown or bare, as a
    training level does (those below `num_train`) or one that was drawn before.

    Fewer are the first of more. A process works them out once, in seconds.

    Raises:
        TaskError: if the game does not show so many different levels.
    """
    seen = _looks_of_training(difficulty, num_train)
    chosen: list[int] = []
    drawn = openings(difficulty, range(FIRST_HELD_OUT, LEVELS), seed=split_seed)
    for _ in range(PATIENCE * num_test):
        level, *frames = next(drawn)
        look = _look(*frames)
        if not seen & look:
            chosen.append(level)
            seen |= look
        if len(chosen) == num_test:
            return tuple(chosen)
    raise TaskError(
        f"num_test_tasks={num_test}: among {PATIENCE * num_test} levels of {difficulty.id}, only "
        f"{len(chosen)} look different from each other and from the {num_train} training levels. "
        f"Ask for at most {len(chosen)}, or train on fewer."
    )


def openings(
    difficulty: Difficulty, levels: range, *, seed: int, at_once: int = AT_ONCE
) -> Iterator[Opening]:
    """Levels drawn from a range by envpool itself, with replacement and without end.

    Two equally seeded pools draw the same levels, one shows them bare. To choose the levels
    ourselves, each would need a pool of its own, which takes far longer than most games' levels.
    """
    shown, bare = (_pool(difficulty, levels, seed, at_once, options) for options in ({}, BARE))
    while True:
        frames, info = shown.reset()
        bare_frames, bare_info = bare.reset()
        assert np.array_equal(info["level_seed"], bare_info["level_seed"])
        yield from zip(info["level_seed"].tolist(), frames, bare_frames, strict=True)


def _looks_of_training(difficulty: Difficulty, num_train: int) -> set[bytes]:
    """What the training levels look like, each in a pool that has no other."""
    looks: set[bytes] = set()
    for level in range(num_train):
        alone = openings(difficulty, range(level, level + 1), seed=0, at_once=1)
        _, *frames = next(alone)
        looks |= _look(*frames)
    return looks


def _look(shown: np.ndarray, bare: np.ndarray) -> set[bytes]:
    """Digests of both frames, which cannot pass for each other."""
    return {
        blake2b(frame.tobytes(), digest_size=16, person=kind).digest()
        for kind, frame in ((b"shown", shown), (b"bare", bare))
    }


def _pool(
    difficulty: Difficulty, levels: range, seed: int, num_envs: int, options: dict[str, bool]
) -> Any:
    import envpool

    # Each environment of a pool is seeded with one more than the one before it.
    first = int(np.random.SeedSequence(seed).generate_state(1)[0] >> 2)
    return envpool.make(
        difficulty.id,
        env_type="gymnasium",
        num_envs=num_envs,
        start_level=levels.start,
        num_levels=len(levels),
        seed=first,
        channel_first=False,
        **options,
    )
