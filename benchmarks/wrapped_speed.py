"""How many steps a second wrapped HalfCheetahVel makes, beside two processes that step it bare.

Ours steps 64 environments, in two worker processes, and hands one batch of tensors over at each
step. Beside it, in the same run, two processes each call `step` of one environment of Gymnasium's
and do nothing with what comes back: once as `gymnasium.make` gives it, and once without its
wrappers, against which the ratio is stated. The pieces take turns, so that a busy machine slows all
of them. Random actions, drawn beforehand; episodes of 200 steps.

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
from measurement import write_result

from icrl.plugins import make_family
from icrl.wrapped.quiet import quieten_simulators

FAMILY, BARE = "icrl/HalfCheetahVel-v0", "HalfCheetah-v5"
NUM_ENVS, NUM_PROCESSES, HORIZON = 64, 2, 200
GATE = 0.7
"""The share of the bare processes' steps that we must make."""
TURNS = 8


def main() -> None:
    """Measure, print, write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement")
    seconds = parser.parse_args().seconds / TURNS
    ours, close = wrapped()
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
    }
    print(write_result("wrapped_speed", measured, packages=("icrl-envs", "mujoco")))


def wrapped() -> tuple[Any, Any]:
    """A function that measures our rate for some seconds, and one that ends the workers."""
    family: Any = make_family(FAMILY)
    env = family.vector_env(family.sample_tasks(NUM_ENVS, seed=0), workers=NUM_PROCESSES)
    env.reset(seed=0)
    actions = 2 * torch.rand(HORIZON, NUM_ENVS, 6) - 1

    def rate(seconds: float) -> float:
        steps, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds:
            for action in actions[:50]:
                env.step(action)
            steps += 50 * NUM_ENVS
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
