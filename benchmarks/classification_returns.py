"""What policies earn in sequential classification: exactly, by the probabilities that they give.

An episode shows one image, so that a policy without memory guesses it by one distribution over and
over: a table of probabilities [images, labels] says all about it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from gymnasium.spaces import Discrete
from torch import Tensor

from icrl.evaluation import evaluate
from icrl.families import TaskFamily
from icrl.nn.actions import gumbel_argmax
from icrl.policy import Policy
from icrl.tasks import Tasks
from icrl.timestep import TimeStep
from icrl_leep.elimination import EliminationPolicy
from icrl_leep.links import linked_log_probs

HORIZON = 20
RESAMPLES = 2000
DEVIATIONS = 4.0
"""How many standard errors the mean of played episodes may lie from what was worked out."""

LogProbs = Callable[[Tensor], Tensor]
"""Observations [images, pixels] to the logarithms of each member's probabilities, [members, images,
labels].
"""


@dataclass(frozen=True)
class Way:
    """A way to guess by what the members of an ensemble think."""

    title: str
    joined: Callable[[Tensor], Tensor]
    """Log probabilities of the members to those of the policies that are looked at, [.., images,
    labels] both: each member's own, or one for all.
    """
    earned: Callable[[Tensor, Tensor], Tensor]
    """Log probabilities [.., images, labels] and labels to returns, [.., images]."""


def sampled(log_probs: Tensor, label: Tensor) -> Tensor:
    """Minus the mean number of wrong guesses, -(q + q² + ... + q^T), q being their chance."""
    wrong = 1 - right(log_probs, label).double().exp()
    return -sum(wrong**step for step in range(1, HORIZON + 1))


def repeated(log_probs: Tensor, label: Tensor) -> Tensor:
    """All or nothing: the likeliest label is right, or is guessed to the end."""
    return -HORIZON * (log_probs.argmax(-1) != label).double()


def eliminated(log_probs: Tensor, label: Tensor) -> Tensor:
    """Minus how many labels come before the right one, the likeliest first."""
    place = log_probs.argsort(dim=-1, descending=True, stable=True)
    return -(place == label[:, None]).double().argmax(-1).double()


def right(log_probs: Tensor, label: Tensor) -> Tensor:
    """The log probability of the right label, [.., images]."""
    index = label[:, None].expand(*log_probs.shape[:-1], 1)
    return log_probs.gather(-1, index)[..., 0]


def _own(log_probs: Tensor) -> Tensor:
    return log_probs


def _average(log_probs: Tensor) -> Tensor:
    return linked_log_probs(log_probs, "average")[None]


def _max(log_probs: Tensor) -> Tensor:
    return linked_log_probs(log_probs, "max")[None]


WAYS: Mapping[str, Way] = {
    "argmax": Way("a member's likeliest label, repeated", _own, repeated),
    "argmax of max": Way(
        "the likeliest label by the largest probability, repeated", _max, repeated
    ),
    "sampled": Way("drawn from a member", _own, sampled),
    "average": Way("drawn from the members' average", _average, sampled),
    "max": Way("drawn from the members' largest probabilities (LEEP's link)", _max, sampled),
    "elimination": Way("a member's likeliest label that was not tried", _own, eliminated),
    "elimination by max": Way("the same by the largest probabilities", _max, eliminated),
}


def returns(log_probs: Tensor, label: Tensor) -> dict[str, Tensor]:
    """The expected return of each image by each way, [images] float64: where it is a member that
    acts, the mean over the members.
    """
    return {name: way.earned(way.joined(log_probs), label).mean(0) for name, way in WAYS.items()}


def accuracy(log_probs: Tensor, label: Tensor) -> float:
    """How often a member's likeliest label is right, over members and images."""
    return float((log_probs.argmax(-1) == label).double().mean())


class Drawn(Policy[None]):
    """Guesses without memory, by log probabilities [images, labels] of what is seen."""

    def __init__(self, log_probs: Callable[[Tensor], Tensor], *, likeliest: bool) -> None:
        self.log_probs, self.likeliest = log_probs, likeliest

    def initial_context(self, num_envs: int) -> None:
        """Nothing."""

    def act(
        self, timestep: TimeStep, context: None, generator: torch.Generator
    ) -> tuple[Tensor, None]:
        """A draw, or the likeliest label."""
        scores = self.log_probs(timestep.observation)
        chosen = scores.argmax(-1) if self.likeliest else gumbel_argmax(scores, generator)
        return chosen, None


def policy_of(family: TaskFamily, members: LogProbs, way: Way) -> Policy:
    """The policy that guesses so, by the first member where one acts."""

    def guesses(seen: Tensor) -> Tensor:
        return way.joined(members(seen))[0]

    if way.earned is not eliminated:
        return Drawn(guesses, likeliest=way.earned is repeated)
    assert isinstance(family.action_space, Discrete)
    return EliminationPolicy(guesses, family.observation_space, family.action_space, "cpu")


def played(
    family: TaskFamily, tasks: Tasks, members: LogProbs, expected: Mapping[str, Tensor]
) -> dict[str, dict[str, float]]:
    """Every way played through once by `icrl.evaluation`: mean return, and how many standard errors
    it lies from what is `expected` of each image, [images], of the first member where one acts.

    Raises:
        RuntimeError: if what is played is not what was worked out.
    """
    found = {}
    for name, way in WAYS.items():
        env = family.vector_env(tasks)
        result = evaluate(policy_of(family, members, way), env, 1, seed=0)
        surplus = result.returns[:, 0].astype(np.float64) - expected[name].numpy()
        error = surplus.std() / len(surplus) ** 0.5
        away = float(abs(surplus.mean()) / max(error, 1e-9))
        if away > DEVIATIONS:
            raise RuntimeError(f"{name}: played {surplus.mean():+.3f} beyond what is expected")
        mean = round(float(result.returns.mean()), 4)
        found[name] = {"played": mean, "standard_errors_away": round(away, 2)}
    return found


class Resampling:
    """Bootstrap replicates that draw seeds and test images at once, each with replacement, the same
    for whatever is compared.
    """

    def __init__(self, seeds: int, images: int, *, seed: int = 0) -> None:
        generator = np.random.default_rng(seed)
        self._seeds = generator.multinomial(seeds, np.full(seeds, 1 / seeds), RESAMPLES) / seeds
        draws = (generator.integers(images, size=images) for _ in range(RESAMPLES))
        self._images = np.stack([np.bincount(d, minlength=images) for d in draws]).astype(
            np.float32
        )
        self._images /= images

    def interval(self, values: Sequence[Tensor]) -> dict[str, float]:
        """Mean and 95 % percentile interval of values [seeds][images]."""
        table = torch.stack(list(values)).double().numpy()
        replicates = (self._images @ table.T.astype(np.float32) * self._seeds).sum(1)
        low, high = np.percentile(replicates, (2.5, 97.5))
        return {"mean": _round(table.mean()), "low": _round(low), "high": _round(high)}


def _round(value: float) -> float:
    return round(float(value), 4)
