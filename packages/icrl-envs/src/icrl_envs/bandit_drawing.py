"""What an onlooker sees of a bandit: what each arm pays, when it was pulled, and how often.

what it pays (hidden)       one mark a pull, from the first on         its share of the pulls
▇▇▇▇▇                        ▌   ▌ ▌▌▌▌▌▌▌▌●                             ▇▇▇▇▇▇
▇▇                            ▌▌                                         ▇
"""

import numpy as np

from icrl_envs.canvas import Canvas, Colour, Point

NIGHT: Colour = (22, 25, 37)
LANE: Colour = (43, 48, 67)
PALE: Colour = (240, 244, 250)
BLUE: Colour = (110, 168, 254)
GOLD: Colour = (245, 190, 92)
DIM: Colour = (70, 84, 124)

MARGIN, GAP = 12.0, 14.0
PAY_WIDTH, TIME_WIDTH, SHARE_WIDTH = 120.0, 480.0, 80.0


def bandit_picture(
    expected: np.ndarray,
    actions: np.ndarray,
    rewards: np.ndarray,
    horizon: int,
    pay_range: tuple[float, float],
) -> np.ndarray:
    """One row for each arm, the first one on top, [height, width, 3] uint8.

    Left: what the arm pays on average, golden for the best one, with a pale line at the mean of
    what it paid. Middle: the pulls in time, the brighter the more they paid. Right: its share.

    Args:
        expected: what each arm pays on average, [arms].
        actions: the arms pulled, [time].
        rewards: what they paid, [time].
        horizon: how many pulls there will be.
        pay_range: from what to what pay is shown.
    """
    arms = len(expected)
    height = float(np.clip(400 // arms, 8, 36))
    width = 2 * (MARGIN + GAP) + PAY_WIDTH + TIME_WIDTH + SHARE_WIDTH
    canvas = Canvas(int(arms * height + 2 * MARGIN), int(width), NIGHT)
    times_at, shares_at = MARGIN + PAY_WIDTH + GAP, MARGIN + PAY_WIDTH + TIME_WIDTH + 2 * GAP
    low, high = pay_range
    paid = np.clip((np.asarray(rewards, np.float64) - low) / (high - low), 0, 1)
    place = np.clip((expected - low) / (high - low), 0, 1) * PAY_WIDTH
    nothing = float(np.clip(-low / (high - low), 0, 1)) * PAY_WIDTH
    best = int(np.argmax(expected))
    for arm in range(arms):
        middle, thick = MARGIN + (arm + 0.5) * height, 0.8 * height
        for left, length in (
            (MARGIN, PAY_WIDTH),
            (times_at, TIME_WIDTH),
            (shares_at, SHARE_WIDTH),
        ):
            _bar(canvas, middle, left, left + length, thick, LANE)
        colour = GOLD if arm == best else BLUE
        ends = sorted((nothing, float(place[arm])))
        _bar(canvas, middle, MARGIN + ends[0], MARGIN + ends[1], 0.6 * height, colour)
        pulled = actions == arm
        if pulled.any():
            seen = MARGIN + float(paid[pulled].mean()) * PAY_WIDTH
            _bar(canvas, middle, seen - 1, seen + 1, thick, PALE)
            share = float(pulled.mean()) * SHARE_WIDTH
            _bar(canvas, middle, shares_at, shares_at + share, 0.6 * height, colour)
    step = TIME_WIDTH / horizon
    for time, (arm, share) in enumerate(zip(actions.tolist(), paid.tolist(), strict=True)):
        left = times_at + time * step
        _bar(
            canvas,
            MARGIN + (arm + 0.5) * height,
            left,
            left + max(0.8 * step, 1.0),
            0.6 * height,
            _between(DIM, GOLD, share),
        )
    if len(actions):
        head: Point = (MARGIN + (int(actions[-1]) + 0.5) * height, times_at + len(actions) * step)
        canvas.glow(head, height, PALE, 0.4)
        canvas.disc(head, 0.2 * height, PALE)
    return canvas.pixels()


def _bar(
    canvas: Canvas, middle: float, left: float, right: float, thick: float, colour: Colour
) -> None:
    if right - left > 0.5:
        canvas.box((middle, (left + right) / 2), (thick, right - left), 0.5, colour)


def _between(one: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (round(a + share * (b - a)) for a, b in zip(one, other, strict=True))
    return red, green, blue
