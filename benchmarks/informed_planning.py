"""What planning with a task's true dynamics earns: where CaDM's tables could end.

The planner of `vanilla-cadm` with the paper's settings (30 steps; 5 times 200 candidates by
cross-entropy, for discrete actions 1,000 at random) imagines with the family's own transitions and
rewards. It is no upper bound: a plan ends after 30 steps, and by cross-entropy the mean of the
elites is executed. The tasks are all of a split, or 24 of them, with an episode of each. The same
is measured with the few candidates that ensembles have on two cores in `cadm_tables.py`.

    python benchmarks/informed_planning.py [--families icrl/Pendulum-v0] [--tasks 24]
"""

import argparse
from collections.abc import Callable
from typing import Any

import torch
from cadm_paper import LITTLE, SPLITS
from cadm_runs import ON_TWO_CORES
from measurement import write_result
from torch import Tensor

from icrl.agent import Interface
from icrl.native import NativeFamily, NativeVectorEnv
from icrl.plugins import make_family
from icrl.trees import map_tree
from icrl_cadm.config import CaDMConfig
from icrl_cadm.controls import Controls
from icrl_cadm.planning import planner

FEWER = {name: value for name, value in ON_TWO_CORES.items() if name != "particles"}
SEARCHES = {"returns": CaDMConfig(), "returns_with_fewer_candidates": CaDMConfig(**FEWER)}


def main() -> None:
    """Measure, print, write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--families", nargs="*", default=list(LITTLE), help="native ones")
    parser.add_argument("--tasks", type=int, default=24, help="of a split, at most")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    found: dict[str, dict[str, Any]] = {}
    for search, config in SEARCHES.items():
        for name in options.families:
            returns = found.setdefault(search, {}).setdefault(name, {})
            for split in SPLITS:
                returns[split] = planned(name, split, options.tasks, options.device, config)
                print(search, name, split, returns[split], flush=True)
    write_result("informed_planning", found, packages=["icrl-cadm", "icrl-envs"])


def planned(name: str, split: str, most: int, device: str, config: CaDMConfig) -> dict[str, float]:
    """The mean return of an episode of each task, its standard error, and how many there are."""
    family = make_family(name)
    assert isinstance(family, NativeFamily)
    count = min(most, family.num_tasks.get(split) or most)
    env = family.vector_env(family.sample_tasks(count, split=split, seed=0), device=device)
    controls = Controls(family.action_space, device)
    plans = planner(controls, config.adapted(Interface.of(family)))
    generator = torch.Generator(device).manual_seed(0)
    solution = plans.initial_solution(count, device)
    earned, running = torch.zeros(count), torch.ones(count)
    env.reset(seed=0)
    assert family.max_episode_steps is not None
    for _ in range(family.max_episode_steps):
        imagine = imagination(family, env, controls, generator)
        control, solution = plans.plan(imagine, solution, generator)
        _, reward, terminated, truncated, _ = env.step(controls.decoded(control))
        earned += running * reward.cpu()
        running *= ~(terminated | truncated).cpu()
        if not running.any():
            break
    return {
        "mean": round(earned.mean().item(), 1),
        "standard_error": round(earned.std().item() / count**0.5, 1),
        "tasks": count,
    }


def imagination(
    family: NativeFamily, env: NativeVectorEnv, controls: Controls, generator: torch.Generator
) -> Callable[[Tensor], Tensor]:
    """What sequences of controls would earn from where the rows are, in truth."""

    def score(sequences: Tensor) -> Tensor:
        rows, candidates, horizon = sequences.shape[:3]
        state, task = map_tree(
            lambda leaf: leaf.repeat_interleave(candidates, 0), (env.state, dict(env.tasks.arrays))
        )
        actions = controls.decoded(sequences.flatten(0, 1))
        earned = torch.zeros(rows * candidates, device=env.device)
        running = torch.ones_like(earned)
        for step in range(horizon):
            done = family.transition(state, actions[:, step], task, generator)
            state, earned = done.state, earned + running * done.reward
            if done.terminated is not None:
                running = running * ~done.terminated
        return earned.view(rows, candidates)

    return score


if __name__ == "__main__":
    main()
