"""What an onlooker sees of a tabular MDP: states as rows, actions as columns."""

from itertools import pairwise

import numpy as np

from icrl_envs.canvas import Canvas, Colour, Point, between
from icrl_envs.drawing import AGENT, GOLD, TRAIL, WALL

POOR: Colour = (40, 45, 64)
RICH: Colour = (58, 130, 122)
HERE: Colour = (66, 74, 102)

CELL, MARGIN = 36.0, 10.0
LEAST_PAY, MOST_PAY = -1.0, 3.0
"""Two standard deviations about the mean of RL²'s rewards, between which colours change."""


def tabular_picture(
    reward: np.ndarray, states: np.ndarray, actions: np.ndarray, best: int | None
) -> np.ndarray:
    """A cell for each state (row) and action (column), [height, width, 3] uint8.

    The greener a cell, the more it pays. A line joins what was done, and the first column shows
    which state it led to: a pale disc in the present one, and a golden ring about the action that
    is best there.

    Args:
        reward: what each action pays on average, [states, actions].
        states: those of the episode, [time + 1].
        actions: what was done in them, [time].
        best: the best action in the present state; None if the episode is over.
    """
    rows, columns = reward.shape
    canvas = Canvas(int(rows * CELL + 2 * MARGIN), int((columns + 1) * CELL + 2 * MARGIN), WALL)
    present = int(states[-1])
    lane = (_middle(present, -1)[0], MARGIN + (columns + 1) * CELL / 2)
    canvas.box(lane, (CELL, (columns + 1) * CELL), 0.2 * CELL, HERE)
    shares = np.clip((reward - LEAST_PAY) / (MOST_PAY - LEAST_PAY), 0, 1)
    for state in range(rows):
        for action in range(columns):
            colour = between(POOR, RICH, float(shares[state, action]))
            canvas.box(_middle(state, action), (0.9 * CELL, 0.9 * CELL), 0.15 * CELL, colour)
    done = [
        _middle(int(state), int(action)) for state, action in zip(states, actions, strict=False)
    ]
    stops = [*done, _middle(present, -1)]
    lines = list(pairwise(stops))
    canvas.trail(
        lines,
        0.1 * CELL,
        [TRAIL] * len(lines),
        [0.25 + 0.6 * (time + 1) / len(lines) for time in range(len(lines))],
    )
    for stop in done:
        canvas.disc(stop, 0.13 * CELL, TRAIL)
    if best is not None:
        canvas.ring(_middle(present, best), 0.3 * CELL, 0.09 * CELL, GOLD)
    canvas.glow(stops[-1], 0.8 * CELL, AGENT, 0.3)
    canvas.disc(stops[-1], 0.2 * CELL, AGENT)
    return canvas.pixels()


def _middle(state: int, action: int) -> Point:
    """Of a cell; action -1 is the column of states."""
    return (MARGIN + (state + 0.5) * CELL, MARGIN + (action + 1.5) * CELL)
