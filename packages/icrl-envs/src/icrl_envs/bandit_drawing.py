"""What an onlooker sees of a bandit: what each arm pays, when it was pulled, and how often.

what it pays (hidden)       one mark a pull, from the first on         its share of the pulls
▇▇▇▇▇                        ▌   ▌ ▌▌▌▌▌▌▌▌●                             ▇▇▇▇▇▇
▇▇                            ▌▌                                         ▇
"""

import numpy as np

from icrl_envs.canvas import Canvas, Colour, between
from icrl_envs.drawing import AGENT, FLOOR, GOLD, TRAIL, WALL

DIM: Colour = (70, 84, 124)

MARGIN, GAP = 12.0, 14.0
PAY_WIDTH, TIME_WIDTH, SHARE_WIDTH = 120.0, 480.0, 80.0
PAYS_AT, TIMES_AT = MARGIN, MARGIN + PAY_WIDTH + GAP
SHARES_AT = TIMES_AT + TIME_WIDTH + GAP


def bandit_picture(
    expected: np.ndarray,
    actions: np.ndarray,
    rewards: np.ndarray,
    horizon: int,
    pay_range: tuple[float, float],
    *,
    steady: bool,
) -> np.ndarray:
    """One row for each arm, the first one on top, [height, width, 3] uint8.

    Left: what the arm pays on average, golden for the best one; where arms are steady with a pale
    line at the mean of what it paid. Middle: the pulls in time, the brighter the more they paid.
    Right: its share.

    Args:
        expected: what each arm pays on average, [arms].
        actions: the arms pulled, [time].
        rewards: what they paid, [time].
        horizon: how many pulls there will be.
        pay_range: from what to what pay is shown.
        steady: whether arms pay alike all the time.
    """
    height = float(np.clip(400 // len(expected), 8, 36))
    width = 2 * (MARGIN + GAP) + PAY_WIDTH + TIME_WIDTH + SHARE_WIDTH
    canvas = Canvas(int(len(expected) * height + 2 * MARGIN), int(width), WALL)
    low, high = pay_range

    def shown(pay: np.ndarray | float) -> np.ndarray:
        return np.clip((np.asarray(pay, np.float64) - low) / (high - low), 0, 1)

    paid, ends, nothing = shown(rewards), shown(expected), float(shown(0.0))
    best = int(np.argmax(expected))
    for arm, end in enumerate(ends.tolist()):
        lane = _Lane(canvas, arm, height)
        colour = GOLD if arm == best else TRAIL
        lane.bar(PAYS_AT, PAY_WIDTH, min(nothing, end), max(nothing, end), colour)
        pulled = actions == arm
        if pulled.any():
            if steady:
                lane.line(PAYS_AT + float(shown(rewards[pulled].mean())) * PAY_WIDTH)
            lane.bar(SHARES_AT, SHARE_WIDTH, 0.0, float(pulled.mean()), colour)
    step = TIME_WIDTH / horizon
    for time, (arm, share) in enumerate(zip(actions.tolist(), paid.tolist(), strict=True)):
        middle = MARGIN + (arm + 0.5) * height, TIMES_AT + (time + 0.4) * step
        canvas.box(middle, (0.6 * height, max(0.8 * step, 1.0)), 0.5, between(DIM, GOLD, share))
    if len(actions):
        head = MARGIN + (int(actions[-1]) + 0.5) * height, TIMES_AT + len(actions) * step
        canvas.glow(head, height, AGENT, 0.4)
        canvas.disc(head, 0.2 * height, AGENT)
    return canvas.pixels()


class _Lane:
    """The row of an arm."""

    def __init__(self, canvas: Canvas, arm: int, height: float) -> None:
        self._canvas, self._height = canvas, height
        self._middle = MARGIN + (arm + 0.5) * height
        for left, width in (
            (PAYS_AT, PAY_WIDTH),
            (TIMES_AT, TIME_WIDTH),
            (SHARES_AT, SHARE_WIDTH),
        ):
            middle = self._middle, left + width / 2
            canvas.box(middle, (0.8 * height, width), 0.5, FLOOR)

    def bar(self, left: float, width: float, start: float, end: float, colour: Colour) -> None:
        """From `start` to `end`, both parts of a column."""
        length = (end - start) * width
        if length > 0.5:
            middle = self._middle, left + (start + end) / 2 * width
            self._canvas.box(middle, (0.6 * self._height, length), 0.5, colour)

    def line(self, across: float) -> None:
        """A pale line."""
        self._canvas.box((self._middle, across), (0.8 * self._height, 2.0), 0.5, AGENT)
