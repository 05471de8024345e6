"""How many steps a second native Dark Room makes with random actions, beside two peers.

The peers, toymeta in Gymnasium's SyncVectorEnv and gymnax's FourRooms, are installed with pip into
`.bench/`, a virtual environment of their own. All draw random actions within what is timed. Where
there is a GPU, ours and gymnax are measured on it too.

    python benchmarks/env_speed.py [--seconds 10]
"""

import argparse
import json
import os
import subprocess
import sys
import time
import venv
from pathlib import Path
from statistics import median
from typing import Any

import torch
from measurement import write_result

from icrl.plugins import make_family

FAMILY = "icrl/DarkRoom-v0"
NUM_ENVS, NUM_TOYMETA_ENVS = 16_384, 256
GATES = {"toymeta": 100.0, "gymnax": 1.0}
"""How many times as fast as each peer we must be."""
BENCH = Path(__file__).parents[1] / ".bench"
PEERS = ["toymeta==0.0.1", "gymnax==1.0.1", "gymnasium>=1.1,<1.2", "jax>=0.6,<0.7", "six"]
"""gymnax does not say all that it needs, and fails beside what is newer."""


def main() -> None:
    """Measure, print, write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement")
    seconds = parser.parse_args().seconds
    devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    install_peers(cuda="cuda" in devices)
    rates: dict[str, dict[str, Any]] = {}
    for device in devices:
        rates[f"icrl {device}"] = {
            "steps_per_second": our_rate(device, seconds),
            "num_envs": NUM_ENVS,
        }
        rates[f"gymnax {device}"] = peer_rate("gymnax", NUM_ENVS, seconds, device)
    rates["toymeta cpu"] = peer_rate("toymeta", NUM_TOYMETA_ENVS, seconds, "cpu")

    def ratio(peer: str, device: str) -> float:
        ours, theirs = (rates[f"{who} {device}"]["steps_per_second"] for who in ("icrl", peer))
        return round(ours / theirs, 2)

    ratios = {f"gymnax {device}": ratio("gymnax", device) for device in devices}
    ratios["toymeta cpu"] = ratio("toymeta", "cpu")
    for name, measured in rates.items():
        times = f", {ratios[name]} times less than ours" if name in ratios else ""
        print(f"{name:12} {measured['steps_per_second'] / 1e6:8.2f} million steps a second{times}")
    measured = {"family": FAMILY, "seconds": seconds, "rates": rates, "ratios": ratios}
    print(write_result("env_speed", measured | {"gates": GATES}, packages=("icrl-envs",)))


def our_rate(device: str, seconds: float, steps: int = 200) -> int:
    """Steps a second of native Dark Room: the median of pieces of so many steps."""
    family = make_family(FAMILY)
    env = family.vector_env(family.sample_tasks(65, seed=0), num_envs=NUM_ENVS, device=device)
    generator = torch.Generator(device).manual_seed(0)
    env.reset(seed=0)

    def piece() -> None:
        for _ in range(steps):
            env.step(torch.randint(5, (NUM_ENVS,), generator=generator, device=device))
        if device == "cuda":
            torch.cuda.synchronize()

    piece()
    rates, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        piece()
        rates.append(steps * NUM_ENVS / (time.perf_counter() - start))
    return round(median(rates))


def peer_rate(peer: str, num_envs: int, seconds: float, device: str) -> dict[str, Any]:
    """What `env_speed_peers.py` measures of a peer, in its own environment."""
    script = str(Path(__file__).with_name("env_speed_peers.py"))
    arguments = [peer, "--num-envs", str(num_envs), "--seconds", str(seconds)]
    environment = os.environ | {"JAX_PLATFORMS": device, "PYTHONPATH": ""}
    command = [str(python()), script, *arguments]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
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


if __name__ == "__main__":
    main()
