"""Forecasts: trajectories of known tasks beside what a trained model imagines in their place."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from icrl.errors import UsageError
from icrl.families import TaskFamily
from icrl.tasks import Tasks
from icrl_cadm.collecting import at_random, by_planning, collect
from icrl_cadm.learning import CaDMAgent
from icrl_cadm.transitions import Transitions

DRAWS = 8
"""How often a probabilistic model is asked what follows; the forecast is the average."""
STARTS = 300
"""Of forecasts in a split, drawn among its steps."""


def _nothing(steps: float = 1, /, **figures: float) -> None:
    """No progress bar moves."""


@dataclass(frozen=True)
class Played:
    """What happened on some tasks of a split."""

    tasks: Tasks
    """On the host."""
    transitions: Transitions
    """Of one task after the other, equally many each."""

    @classmethod
    def by(
        cls,
        agent: CaDMAgent,
        family: TaskFamily,
        split: str,
        *,
        num_tasks: int,
        steps: int,
        planned: bool,
        seed: int,
    ) -> Self:
        """Let an agent play, or play at random.

        Args:
            agent: whose states and controls are recorded.
            family: that it was trained on.
            split: whose tasks are played.
            num_tasks: at most so many.
            steps: of each task, in as many episodes as it takes.
            planned: whether the agent plans; else actions are random.
            seed: of the tasks, their noise and the actions.
        """
        available = family.num_tasks.get(split)
        count = num_tasks if available is None else min(num_tasks, available)
        tasks = family.sample_tasks(count, split=split, seed=seed)
        act = by_planning(agent.policy(), count) if planned else at_random(agent.controls)
        env = family.vector_env(tasks, device=agent.device)
        try:
            transitions, _ = collect(
                env,
                act,
                steps,
                seed=seed,
                states=agent.states,
                controls=agent.controls,
                validation=0.0,
                advance=_nothing,
            )
        finally:
            env.close()
        return cls(tasks, transitions)

    def task(self, index: Tensor) -> Tensor:
        """Which task transitions [...] belong to."""
        return index // (len(self.transitions) // len(self.tasks))

    def starts(self, past: int, *, most: int = STARTS) -> Tensor:
        """Some transitions before which as many had happened as a context is made of.

        Raises:
            UsageError: if no episode lasted so long.
        """
        age = self.transitions.age
        known = torch.arange(len(age), device=age.device)[age >= past]
        if len(known) == 0:
            raise UsageError(
                f"no episode lasted longer than the {past} steps that a context is made of (split "
                f"{self.tasks.split}). Play for longer (--steps), let the agent plan (--planned), "
                "or train with less past."
            )
        order = torch.randperm(len(known), generator=torch.Generator().manual_seed(0))
        return known[order[:most].to(known.device)].sort().values

    def longest(self) -> Tensor:
        """The transitions of the longest episode, in order."""
        age, left = self.transitions.age, self.transitions.left
        first = int((age + left).argmax())
        first -= int(age[first])
        return torch.arange(first, first + int(left[first]) + 1, device=age.device)


@dataclass(frozen=True)
class Forecast:
    """What a model imagined from some transitions on, and what followed."""

    imagined: Tensor
    """[starts, horizon, state numbers]."""
    real: Tensor
    """[starts, horizon, state numbers]."""
    there: Tensor
    """[starts, horizon] bool: whether the episode lasted so long."""

    @classmethod
    @torch.no_grad()
    def of(cls, agent: CaDMAgent, transitions: Transitions, starts: Tensor, horizon: int) -> Self:
        """Open loop: the context of each start and the controls that were taken are all that the
        model is told.
        """
        past, policy = agent.config.past, agent.policy()
        assert past is not None  # `adapted` has filled it
        forecaster = policy.forecaster
        told = forecaster.told(transitions.history(starts, past))
        generator = torch.Generator(starts.device).manual_seed(0)
        draws = DRAWS if agent.config.probabilistic else 1
        state = transitions.state[starts][None, :, None].expand(forecaster.members, -1, draws, -1)
        ahead = torch.arange(horizon, device=starts.device)
        place = starts[:, None] + torch.minimum(ahead, transitions.left[starts][:, None])
        imagined = []
        for step in range(horizon):
            control = transitions.control[place[:, step]][None, :, None]
            control = control.expand(*state.shape[:-1], -1)
            noise = torch.randn(state.shape, generator=generator, device=state.device)
            state = forecaster.following(told, state, control, noise)
            imagined.append(state.mean((0, 2)))
        there = ahead <= transitions.left[starts][:, None]
        return cls(torch.stack(imagined, 1), transitions.following[place], there)

    def errors(self, scale: Tensor) -> Tensor:
        """Root mean squared error by horizon [horizon], NaN where no episode lasted so long.

        Args:
            scale: what counts as 1, [state numbers]; numbers of scale 0 do not count.
        """
        off = (self.imagined - self.real)[..., scale > 0] / scale[scale > 0]
        # What was imagined after an episode's end may be infinite, which no zero would cancel.
        total = off.square().mean(-1).masked_fill(~self.there, 0).sum(0)
        return (total / self.there.sum(0)).sqrt()


@dataclass(frozen=True)
class Trajectory:
    """An episode, and what a model imagined on its way; on the host."""

    task: dict[str, float]
    """The numbers of its task."""
    real: Tensor
    """[time, state numbers]."""
    imagined: list[tuple[int, Tensor]]
    """From which step on, and what, [steps, state numbers]."""

    @classmethod
    def of(cls, agent: CaDMAgent, played: Played, past: int, horizon: int) -> Self:
        """The longest episode, imagined anew every `horizon` steps, once `past` have happened."""
        transitions, episode = played.transitions, played.longest()
        starts = episode[past::horizon]
        forecast = Forecast.of(agent, transitions, starts, horizon)
        real = torch.cat([transitions.state[episode], transitions.following[episode[-1:]]]).cpu()
        numbers = dict(task_numbers(played.tasks[played.task(episode[:1]).cpu()]))
        return cls(
            {name: float(value[0]) for name, value in numbers.items()},
            real,
            [
                (past + place * horizon, imagined[there].cpu())
                for place, (imagined, there) in enumerate(
                    zip(forecast.imagined, forecast.there, strict=True)
                )
            ],
        )


def task_numbers(tasks: Tasks) -> Iterator[tuple[str, np.ndarray]]:
    """Each number that defines tasks by its name, [tasks]; those of an array are counted from 1."""
    for name, array in tasks.arrays.items():
        columns = array.cpu().double().reshape(len(tasks), -1).numpy().T
        for place, column in enumerate(columns, start=1):
            yield (name if len(columns) == 1 else f"{name} {place}"), column


@torch.no_grad()
def contexts(agent: CaDMAgent, transitions: Transitions, starts: Tensor) -> Tensor:
    """What the first member infers before transitions, [starts, width]."""
    past = agent.config.past
    assert past is not None  # `adapted` has filled it
    return agent.model.context(transitions.history(starts, past))[0]


def projected(points: Tensor) -> tuple[Tensor, list[float]]:
    """Points [points, width] on their first two principal components, [points, 2], and the share
    of the variance that each explains.
    """
    centred = points - points.mean(0)
    _, deviations, directions = torch.linalg.svd(centred, full_matrices=False)
    variances = deviations.square()
    shares = (variances / variances.sum().clamp(min=1e-12)).tolist()
    flat = centred @ directions[:2].T
    missing = 2 - flat.shape[1]
    return torch.nn.functional.pad(flat, (0, missing)), [*shares, 0.0][:2]
