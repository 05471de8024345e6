"""Stepping: how many steps a second environments make with random actions, ours and the peers'.

The peers, toymeta in Gymnasium's SyncVectorEnv and gymnax, are installed with pip into `.bench/`, a
virtual environment of their own. All draw random actions within what is timed.
"""

import json
import os
import subprocess
import sys
import time
import venv
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from gymnasium import Space, spaces
from torch import Tensor

from icrl.plugins import make_family

BENCH = Path(__file__).parents[1] / ".bench"
PEERS = ["toymeta==0.0.1", "gymnax==1.0.1", "gymnasium>=1.1,<1.2", "jax>=0.6,<0.7", "six"]
"""gymnax does not say all that it needs, and fails beside what is newer."""


def our_rate(
    id: str,
    num_envs: int,
    device: str,
    seconds: float,
    *,
    episodes_per_task: int | None = None,
    most: int = 2_000_000,
    **arguments: Any,
) -> int:
    """Steps a second of a family: the median of pieces of so many steps that a clock can time.

    `most` environment steps make a piece (but ten steps of all environments at least). With
    `episodes_per_task`, each row draws a new task after so many episodes.
    """
    family = make_family(id, **arguments)
    available = family.num_tasks.get("train")
    tasks = family.sample_tasks(min(num_envs, available or num_envs, 4096), seed=0)
    env = family.vector_env(
        tasks, num_envs=num_envs, episodes_per_task=episodes_per_task, device=device
    )
    generator = torch.Generator(device).manual_seed(0)
    draw = random_actions(family.action_space, num_envs, generator)
    steps = max(10, min(1000, most // num_envs))
    env.reset(seed=0)

    def piece() -> None:
        for _ in range(steps):
            env.step(draw())
        if device == "cuda":
            torch.cuda.synchronize()

    piece()
    rates, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(rates) < 3:
        start = time.perf_counter()
        piece()
        rates.append(steps * num_envs / (time.perf_counter() - start))
    env.close()
    return round(median(rates))


def random_actions(space: Space, num_envs: int, generator: torch.Generator) -> Callable[[], Tensor]:
    """Draws uniform actions [envs, *action] of a Discrete space or a bounded Box."""
    device = generator.device
    if isinstance(space, spaces.Discrete):
        low, high = int(space.start), int(space.start + space.n)
        return lambda: torch.randint(low, high, (num_envs,), generator=generator, device=device)
    assert isinstance(space, spaces.Box)
    lowest, highest = (torch.as_tensor(b, device=device) for b in (space.low, space.high))
    shape, breadth = (num_envs, *space.shape), highest - lowest
    return lambda: lowest + breadth * torch.rand(shape, generator=generator, device=device)


def peer_rate(
    peer: str, num_envs: int, seconds: float, device: str, environment: str
) -> dict[str, Any]:
    """What `env_speed_peers.py` measures of a peer's environment, in its own virtual one."""
    script = str(Path(__file__).with_name("env_speed_peers.py"))
    arguments = [peer, environment, "--num-envs", str(num_envs), "--seconds", str(seconds)]
    variables = os.environ | {"JAX_PLATFORMS": device, "PYTHONPATH": ""}
    command = [str(python()), script, *arguments]
    done = subprocess.run(command, env=variables, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def install_peers(*, cuda: bool) -> None:
    """Make `.bench/` if it is missing."""
    wanted = [*PEERS, "jax[cuda12]>=0.6,<0.7"] if cuda else PEERS
    stamp = BENCH / "installed"
    if stamp.exists() and stamp.read_text(encoding="utf-8").split("\n") == wanted:
        return
    print(f"installing {', '.join(wanted)} into {BENCH}", file=sys.stderr)
    venv.create(BENCH, with_pip=True)
    pip = [str(python()), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *wanted], check=True)
    stamp.write_text("\n".join(wanted), encoding="utf-8")


def python() -> Path:
    """The interpreter of `.bench/`."""
    return BENCH / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
