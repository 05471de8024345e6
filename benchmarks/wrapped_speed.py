"""How many steps a second wrapped bodies of MuJoCo make, beside bare ones, and on all cores.

First HalfCheetahVel. Ours steps 64 environments, in two worker processes, and hands one batch of
tensors over at each step. Beside it, in the same run, two processes each call `step` of one
environment of Gymnasium's and do nothing with what comes back: once as `gymnasium.make` gives it,
and once without its wrappers, against which the ratio is stated. The pieces take turns, so that a
busy machine slows all of them. Random actions, drawn beforehand; episodes of 200 steps.

Then CaDM's bodies, as many as are trained on at once: stepped in this process, and in one worker
process for each core. Beside the ratio stands how many workers a family takes if it is not told.

    python benchmarks/wrapped_speed.py [--seconds 10]
"""

import argparse
import importlib
import multiprocessing
import time
from multiprocessing.connection import Connection
from statistics import median
from typing import Any

import gymnasium
import numpy as np
import torch
from measurement import hardware, write_result

from icrl.plugins import make_family
from icrl.wrapped.quiet import quieten_simulators
from icrl.wrapped.vector import num_workers

FAMILY, BARE = "icrl/HalfCheetahVel-v0", "HalfCheetah-v5"
NUM_ENVS, NUM_PROCESSES, HORIZON = 64, 2, 200
GATE = 0.7
"""The share of the bare processes' steps that we must make."""
TURNS = 8
BODIES = (
    ("icrl/HalfCheetah-v0", 10),
    ("icrl/HalfCheetah-v0", 64),
    ("icrl/Ant-v0", 10),
    ("icrl/SlimHumanoid-v0", 10),
)
"""Families and numbers of environments that are stepped on one core and on all."""


def main() -> None:
    """Measure, print, write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement")
    seconds = parser.parse_args().seconds / TURNS
    ours, close = wrapped(FAMILY, NUM_ENVS, NUM_PROCESSES)
    kinds = {"bare, unwrapped": True, "bare, as made": False}
    bare = {name: Bare(unwrapped=unwrapped) for name, unwrapped in kinds.items()}
    rates: dict[str, list[float]] = {"icrl": [], **{name: [] for name in bare}}
    for _ in range(TURNS):
        rates["icrl"].append(ours(seconds))
        for name, processes in bare.items():
            rates[name].append(processes.rate(seconds))
    close()
    for processes in bare.values():
        processes.close()
    middle = {name: round(median(values)) for name, values in rates.items()}
    ratios = {
        name: round(median(o / b for o, b in zip(rates["icrl"], rates[name], strict=True)), 3)
        for name in bare
    }
    for name, rate in middle.items():
        ratio = f", of which ours are {ratios[name]}" if name in ratios else ""
        print(f"{name:16} {rate:8} steps a second{ratio}")
    measured = {
        "family": FAMILY,
        "num_envs": NUM_ENVS,
        "num_processes": NUM_PROCESSES,
        "seconds": seconds * TURNS,
        "steps_per_second": middle,
        "ratios": ratios,
        "gate": {"bare, unwrapped": GATE},
        "all_cores": [all_cores(name, num_envs, seconds) for name, num_envs in BODIES],
    }
    print(write_result("wrapped_speed", measured, packages=("icrl-envs", "mujoco")))


def all_cores(name: str, num_envs: int, seconds: float) -> dict[str, Any]:
    """Steps a second of some environments in this process and in a worker for each core."""
    num_cores = hardware()["cores"]
    told: dict[str, int] = {"one process": 0, "all cores": num_cores}
    pieces = {piece: wrapped(name, num_envs, workers) for piece, workers in told.items()}
    rates: dict[str, list[float]] = {piece: [] for piece in pieces}
    for _ in range(TURNS):
        for piece, (rate, _) in pieces.items():
            rates[piece].append(rate(seconds))
    for _, close in pieces.values():
        close()
    ratio = median(a / o for o, a in zip(*rates.values(), strict=True))
    made: Any = make_family(name)
    measured = {
        "family": name,
        "num_envs": num_envs,
        "steps_per_second": {piece: round(median(values)) for piece, values in rates.items()},
        "ratio": round(ratio, 2),
        "workers_if_not_told": num_workers(made, num_envs),
    }
    print(measured)
    return measured


def wrapped(name: str, num_envs: int, workers: int) -> tuple[Any, Any]:
    """A function that measures our rate for some seconds, and one that ends the workers."""
    family: Any = make_family(name)
    pool = family.sample_tasks(min(num_envs, family.num_tasks["train"] or num_envs), seed=0)
    env = family.vector_env(pool, num_envs=num_envs, workers=workers)
    env.reset(seed=0)
    actions = 2 * torch.rand(HORIZON, num_envs, *family.action_space.shape) - 1

    def rate(seconds: float) -> float:
        steps, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds:
            for action in actions[:50]:
                env.step(action)
            steps += 50 * num_envs
        return steps / (time.perf_counter() - start)

    rate(0.2)
    return rate, env.close


class Bare:
    """Two processes that step one environment each when they are told to."""

    def __init__(self, *, unwrapped: bool) -> None:
        context = multiprocessing.get_context("spawn")
        self._ends = []
        self._processes = []
        for seed in range(NUM_PROCESSES):
            ours, theirs = context.Pipe()
            process = context.Process(target=serve, args=(theirs, unwrapped, seed), daemon=True)
            process.start()
            self._ends.append(ours)
            self._processes.append(process)
        self.rate(0.2)

    def rate(self, seconds: float) -> float:
        """Steps a second of both together."""
        for end in self._ends:
            end.send(seconds)
        return sum(end.recv() for end in self._ends)

    def close(self) -> None:
        """End the processes."""
        for end, process in zip(self._ends, self._processes, strict=True):
            end.send(0)
            process.join()


def serve(end: Connection, unwrapped: bool, seed: int) -> None:
    """Measure for as many seconds as each message says, until one says zero."""
    importlib.import_module("mujoco")
    quieten_simulators()
    env: Any = gymnasium.make(BARE, max_episode_steps=HORIZON)
    env = env.unwrapped if unwrapped else env
    actions = np.random.default_rng(seed).uniform(-1, 1, (HORIZON, 6)).astype(np.float32)
    while seconds := end.recv():
        steps, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds:
            env.reset(seed=seed)
            for action in actions:
                env.step(action)
            steps += HORIZON
        end.send(steps / (time.perf_counter() - start))


if __name__ == "__main__":
    main()
