"""How many steps a second native Dark Room makes with random actions, beside two peers.

The peers are toymeta in Gymnasium's SyncVectorEnv and gymnax's FourRooms; `stepping.py` says how
all are measured. Where there is a GPU, ours and gymnax are measured on it too.

    python benchmarks/env_speed.py [--seconds 10]
"""

import argparse
from typing import Any

import torch
from measurement import write_result
from stepping import install_peers, our_rate, peer_rate

FAMILY = "icrl/DarkRoom-v0"
NUM_ENVS, NUM_TOYMETA_ENVS = 16_384, 256
GATES = {"toymeta": 100.0, "gymnax": 1.0}
"""How many times as fast as each peer we must be."""


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
            "steps_per_second": our_rate(FAMILY, NUM_ENVS, device, seconds),
            "num_envs": NUM_ENVS,
        }
        rates[f"gymnax {device}"] = peer_rate("gymnax", NUM_ENVS, seconds, device, "FourRooms-misc")
    rates["toymeta cpu"] = peer_rate(
        "toymeta", NUM_TOYMETA_ENVS, seconds, "cpu", "Dark-Room-9x9-v0"
    )

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


if __name__ == "__main__":
    main()
