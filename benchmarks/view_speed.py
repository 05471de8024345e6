"""Frames a second of the families of pixels, stepped with random actions.

    python benchmarks/view_speed.py [--seconds 5]

One step of one environment is one frame, and one more where it ends an episode, which is not
counted. Measured on the CPU and, where there is one, on a GPU.
"""

import argparse

import torch
from measurement import write_result
from stepping import our_rate

FAMILIES = ("icrl/Watermaze-v0", "icrl/VisualMaze-v0")
SIZES = {"cpu": (1, 64, 1024), "cuda": (1, 64, 1024, 4096, 16_384)}
GATED, GATES = "icrl/Watermaze-v0", {"cpu": 20_000, "cuda": 1_000_000}
"""Frames a second that must be reached at some number of environments: with two cores, and with one
data-centre GPU.
"""
PIECE = 20_000
"""Frames that are timed at once on a CPU; on a GPU fifty times as many."""


def main() -> None:
    """Measure, print, write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement")
    seconds = parser.parse_args().seconds
    devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    rates: dict[str, dict[str, dict[str, int]]] = {}
    for name in FAMILIES:
        rates[name] = {device: rates_of(name, device, seconds) for device in devices}
        print(f"{name:20}", *(f"{device} {of}" for device, of in rates[name].items()))
    reached = {device: max(rates[GATED][device].values()) for device in devices}
    for device, rate in reached.items():
        print(f"{GATED} on {device}: {rate} frames a second, at least {GATES[device]} wanted")
    measured = {"seconds": seconds, "frames_per_second": rates, "reached": reached, "gates": GATES}
    print(write_result("view_speed", measured, packages=("icrl-envs",)))


def rates_of(id: str, device: str, seconds: float) -> dict[str, int]:
    """Frames a second at each number of environments."""
    most = PIECE if device == "cpu" else 50 * PIECE
    return {str(n): our_rate(id, n, device, seconds, most=most) for n in SIZES[device]}


if __name__ == "__main__":
    main()
