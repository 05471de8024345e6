"""The two pictures of LEEP's classification example: one image's story, and learning curves."""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from classification_returns import HORIZON, WAYS, policy_of
from torch import Tensor

from icrl.families import Episode, Rendered, TaskFamily
from icrl.interaction import play
from icrl.report.style import (
    AGENT_COLOURS,
    FAINT,
    HEAD,
    INK,
    light_grid,
    margins,
    new_figure,
    save,
    styled,
)
from icrl.tasks import Tasks

STORY = {
    "argmax": "the likeliest label, again and again",
    "sampled": "drawn from one member",
    "max": "drawn from the linked ensemble",
    "elimination": "the likeliest that was not tried",
}
EPISODES = 101
"""Of so many the middling one is shown."""
CURVES = (
    ("elimination", "elimination", "elimination, learned from play"),
    ("leep", "max", "LEEP: four linked members, drawn"),
    ("plain-ensemble", "max", "four members, linked only to act"),
    ("ppo", "sampled", "PPO, drawn"),
    ("ppo", "argmax", "PPO, its likeliest label"),
    ("dqn", "argmax", "DQN, its best label"),
)
"""Learner, way to guess, and what the line is called."""
UNIFORM, UNIFORM_ELIMINATION = -sum(0.9**step for step in range(1, HORIZON + 1)), -4.5
"""What guesses at random earn: with replacement, and without (0 to 9 wrong ones, alike often)."""


def draw_story(
    family: TaskFamily, tasks: Tasks, members: Callable[[Tensor], Tensor], path: Path
) -> None:
    """One test image that the first member gets wrong, and how every policy goes about it."""
    assert isinstance(family, Rendered)
    observation, _ = family.vector_env(tasks).reset(seed=0)
    log_probs, label = members(observation), tasks.arrays["label"]
    chosen = telling(log_probs, label)
    with styled():
        figure = new_figure(
            5.4,
            "One test image, which its classifier takes for something else",
            "20 guesses at most, row by row, a wrong one costs 1; the middling one of 101 episodes",
        )
        for axes, (name, title) in zip(figure.subplots(2, 2).flat, STORY.items(), strict=True):
            episode = _middling(family, tasks[chosen], members, name)
            axes.imshow(family.render(tasks.row(chosen), episode))
            earned, mean = (
                int(episode.reward.sum()),
                float(expected(log_probs, label, name)[chosen]),
            )
            words = f"{title}: {earned}, on average {mean:.1f}"
            axes.set_title(words, fontsize=10, color=INK, loc="left")
            axes.set_axis_off()
        margins(figure, left=0.06, right=0.06, bottom=0.06, top=HEAD + 0.3)
        figure.subplots_adjust(wspace=0.02, hspace=0.16)
        save(figure, path)


def telling(log_probs: Tensor, label: Tensor) -> int:
    """The image that stands for those that the first member gets wrong: the one whose expected
    returns are nearest to their mean; by log probabilities [members, images, labels].
    """
    costs = torch.stack([expected(log_probs, label, name) for name in STORY], dim=1)
    wrong = (log_probs[0].argmax(-1) != label).nonzero()[:, 0]
    away = (costs[wrong] - costs[wrong].mean(0)).square().sum(1)
    return int(wrong[away.argmin()])


def expected(log_probs: Tensor, label: Tensor, name: str) -> Tensor:
    """The expected return of each image by a way to guess, [images], of the first member."""
    way = WAYS[name]
    return way.earned(way.joined(log_probs), label)[0]


def _middling(
    family: TaskFamily, task: Tasks, members: Callable[[Tensor], Tensor], name: str
) -> Episode:
    """Of 101 episodes of a policy the one that half of the others are worse than."""
    env = family.vector_env(task.repeat(EPISODES))
    steps = list(islice(play(policy_of(family, members, WAYS[name]), env, seed=0), HORIZON))
    actions, rewards, ended = (
        torch.stack([getattr(step, what) for step in steps])
        for what in ("action", "reward", "ended")
    )
    before = ended.cumsum(0) - ended.long() == 0  # the first episode of each row
    row = int((rewards * before).sum(0).argsort()[EPISODES // 2])
    first = before[:, row]
    return Episode((), actions[first, row], rewards[first, row])


def draw_curves(
    curves: Mapping[str, Sequence[Mapping[str, Mapping[str, float]]]], path: Path
) -> None:
    """The test return of each learner by step, [seeds] curves each; the band spans the seeds."""
    with styled():
        figure = new_figure(
            5.2,
            "Test return while learning from rewards alone",
            "Fashion-MNIST: 10,000 images train, 10,000 test; mean and range of the seeds",
        )
        axes = figure.add_subplot()
        ends = []
        for (learner, way, title), colour in zip(CURVES, AGENT_COLOURS, strict=False):
            ends.append((_curve(axes, curves[learner], way, colour), title, colour))
        for level, title in (
            (UNIFORM, "uniform guesses"),
            (UNIFORM_ELIMINATION, "uniform, none twice"),
        ):
            axes.axhline(level, color=FAINT, linewidth=1.4, linestyle=(0, (1, 2)), zorder=1.5)
            ends.append((level, title, FAINT))
        light_grid(axes)
        axes.set_ylim(-10, 0.2)
        axes.set_xlim(left=0)
        axes.set_xlabel("environment steps", labelpad=6)
        axes.set_ylabel("return of a test episode", labelpad=8)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value / 1000:.0f}k")
        margins(figure, left=0.75, right=3.1, bottom=0.55, top=HEAD + 0.1)
        _label_ends(axes, ends)
        save(figure, path)


def _curve(
    axes: Any, seeds: Sequence[Mapping[str, Mapping[str, float]]], way: str, colour: str
) -> float:
    """Draw a learner's line and band; where it ends."""
    steps = [int(step) for step in seeds[0]]
    values = np.array([[each[way] for each in curve.values()] for curve in seeds])
    axes.fill_between(steps, values.min(0), values.max(0), color=colour, alpha=0.16, linewidth=0)
    axes.plot(steps, values.mean(0), color=colour, linewidth=2.2)
    return float(values[:, -1].mean())


def _label_ends(axes: Any, ends: list[tuple[float, str, str]], apart: float = 0.5) -> None:
    """A label for each line at its right end, in order and not over one another."""
    at = 0.2
    for value, title, colour in sorted(ends, reverse=True):
        at = min(value, at - apart) if at < 0.2 else value
        axes.annotate(
            f"{title}  {value:.2f}",
            (1.01, at),
            xycoords=("axes fraction", "data"),
            color=colour,
            fontsize=9,
            va="center",
            annotation_clip=False,
        )
