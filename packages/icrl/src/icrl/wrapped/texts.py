"""Spaces of a stranger's environment in the form that has tensors: mission spaces become Text."""

import itertools
import math
import string
from typing import Any

from gymnasium import Space, spaces

MAX_MISSIONS = 100_000
"""Missions beyond this number are not listed one by one."""
ANY_TEXT = spaces.Text(256, min_length=0, charset=string.printable[:95])
"""For strings of which nothing is known: printable ASCII, 256 characters."""


def with_texts(space: Space) -> Space:
    """The space, with `Text` in place of every other space of strings (MiniGrid's missions)."""
    if isinstance(space, spaces.Dict):
        return spaces.Dict([(name, with_texts(child)) for name, child in space.spaces.items()])
    if isinstance(space, spaces.Tuple):
        return spaces.Tuple([with_texts(child) for child in space.spaces])
    if space.dtype is not None and space.dtype.kind == "U" and not isinstance(space, spaces.Text):
        return _missions_text(space)
    return space


def _missions_text(space: Any) -> spaces.Text:
    """A Text of the length of the longest mission, over the characters of all missions."""
    write, placeholders = (
        getattr(space, "mission_func", None),
        getattr(space, "ordered_placeholders", None) or [],
    )
    open_ended = space.contains("\0")  # BabyAI's: it names one mission and takes every string
    if (
        write is None
        or open_ended
        or math.prod(len(words) for words in placeholders) > MAX_MISSIONS
    ):
        return ANY_TEXT
    missions = [write(*words) for words in itertools.product(*placeholders)]
    characters = "".join(sorted(set("".join(missions))))
    lengths = [len(mission) for mission in missions]
    return spaces.Text(max(lengths), min_length=min(lengths), charset=characters)
