"""How fast CaDM's agents plan, and how much of the machine's matrix multiplication that is.

    python benchmarks/planning_speed.py

Ten environments of `icrl/HalfCheetah-v0` (18 numbers, 6 controls) plan a step at once, as they do
in training, with the paper's settings: five refinements of 200 candidates over 30 steps, so 30,000
evaluations of a model for a step of one environment, and 600,000 by PE-TS with its 20 particles.
All that a step takes is counted: context, models, the family's reward, the cross-entropy method.
Weights are random; what a model has learned changes nothing about its speed.

The peak beside it is a large square product of the same precision on the same threads, in the same
run; an evaluation is counted as the products of its forward network alone.

The bound on a GPU is for one step of PE-TS in ten environments; without a GPU it says so.
"""

import argparse
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import torch
from measurement import seconds, write_result

from icrl import make_family
from icrl.agent import Interface
from icrl.plugins.lookup import agent_spec
from icrl.timestep import TimeStep
from icrl_cadm.config import CaDMConfig
from icrl_cadm.learning import CaDMAgent
from icrl_cadm.policy import PRECISIONS, PlanningPolicy

FAMILY = "icrl/HalfCheetah-v0"
AGENTS = ("vanilla-dm", "vanilla-cadm", "grbal", "pe-ts", "pets-cadm")
CPU = torch.device("cpu")
SIDE = {"cpu": 2048, "cuda": 8192}
"""Of the square matrices whose product is the peak."""
BOUND, GATED = 20.0, "pe-ts"
"""Milliseconds of a step on a GPU, at most, and whose."""


def new_policy(agent: str, precision: str, device: torch.device, *, fused: bool) -> PlanningPolicy:
    """What an agent plans with before it has learned anything."""
    asked = {"precision": precision, "fused": fused}
    config = CaDMConfig.from_dict({**agent_spec(agent).settings, **asked})
    return CaDMAgent(config, Interface.of(make_family(FAMILY)), device).policy()


def planned_step(policy: PlanningPolicy, envs: int, device: torch.device) -> Callable[[], object]:
    """A function that plans one step in all environments, to its end."""
    family, generator = make_family(FAMILY), torch.Generator(device).manual_seed(0)
    size = policy.model.states.size
    observation = torch.randn(envs, size, generator=generator, device=device)
    timestep = TimeStep.first(observation, family.action_space)

    def step() -> None:
        policy.act(timestep, policy.initial_context(envs), generator)
        finish(device)

    return step


def evaluations(policy: PlanningPolicy) -> int:
    """Of the model, for a step of one environment."""
    config = policy.model.config
    return config.candidates * config.refinements * config.horizon * config.particles


def operations(policy: PlanningPolicy) -> int:
    """Multiplications and additions in an evaluation's products."""
    named = policy.model.networks.forwards.named_parameters()
    return 2 * sum(tensor[0].numel() for name, tensor in named if name.endswith("weight"))


def peak(precision: str, device: torch.device, repeats: int) -> float:
    """Operations a second in the product of two large square matrices."""
    side = SIDE[device.type]
    left, right = torch.randn(2, side, side, device=device).to(PRECISIONS[precision])

    def multiplied() -> None:
        left @ right
        finish(device)

    return 2 * side**3 / seconds(multiplied, repeats=repeats)


def finish(device: torch.device) -> None:
    """Wait for what was asked of a GPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def measured(
    agents: list[str], device: torch.device, *, envs: int, repeats: int
) -> Iterator[dict[str, Any]]:
    """One row for each precision and agent, printed as it comes; on a GPU also with fused steps."""
    for precision in PRECISIONS:
        most = peak(precision, device, repeats)
        for agent, fused in product(agents, (False,) if device == CPU else (False, True)):
            torch.compiler.reset()  # torch keeps a few compiled steps at once
            policy = new_policy(agent, precision, device, fused=fused)
            took = seconds(planned_step(policy, envs, device), repeats=repeats)
            rate = envs * evaluations(policy) / took
            row = {
                "device": device.type,
                "threads": torch.get_num_threads() if device == CPU else None,
                "precision": precision,
                "agent": agent,
                "fused": fused,
                "milliseconds": round(1000 * took, 2),
                "environment_steps_per_second": round(envs / took, 2),
                "model_evaluations_per_second": round(rate),
                "peak_gigaflops": round(most / 1e9, 1),
                "share_of_peak": round(rate * operations(policy) / most, 3),
            }
            print("  ".join(f"{name} {value}" for name, value in row.items()), flush=True)
            yield row


def main() -> int:
    """Measure, write `results/planning_speed.json`, say whether a GPU's bound is kept."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--agents", nargs="+", default=list(AGENTS), choices=AGENTS)
    parser.add_argument("--threads", nargs="+", type=int, default=[2], help="of the CPU")
    parser.add_argument("--envs", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    sizes = {"envs": options.envs, "repeats": options.repeats}
    rows: list[dict[str, Any]] = []
    for threads in options.threads:
        torch.set_num_threads(threads)
        rows += measured(options.agents, CPU, **sizes)
    if torch.cuda.is_available():
        rows += measured(options.agents, torch.device("cuda"), **sizes)
    gated = [
        row["milliseconds"] for row in rows if (row["device"], row["agent"]) == ("cuda", GATED)
    ]
    fastest = min(gated, default=None)
    path = write_result(
        "planning_speed",
        {
            "family": FAMILY,
            **sizes,
            "bound_milliseconds": BOUND,
            "milliseconds_on_gpu": "not run: no GPU" if fastest is None else fastest,
            "rows": rows,
        },
        packages=("icrl-cadm", "icrl-envs"),
    )
    verdict = "not run, there is no GPU"
    if fastest is not None:
        verdict = f"{'reached' if fastest <= BOUND else 'MISSED'} with {fastest} ms"
    print(f"{path}: a step of {GATED} in at most {BOUND} ms on a GPU: {verdict}")
    return int(fastest is not None and fastest > BOUND)


if __name__ == "__main__":
    raise SystemExit(main())
