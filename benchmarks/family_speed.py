"""Steps a second of every native family, and beside gymnax where it has a counterpart.

    python benchmarks/family_speed.py [--seconds 3] [--peer-seconds 10]

One id of each family's class is stepped with random actions at several numbers of environments, on
the CPU and, where there is one, on a GPU. Families whose observations are pixels are in
`view_speed.py`.

Beside gymnax, ours draw a new task for every episode, as its resets do, except that Four Rooms
keeps one goal. More differences remain. What gymnax observes is not read, and so compiled away,
while ours is made and kept, in its favour. Its Four Rooms has inner walls, and now and then
replaces an action by a random one, in ours. Its maze is the same for all and moves along the four
directions; who finds the goal goes on from another cell. In ours each task has its own walls, the
agent turns, and the goal ends the episode. Its cart-pole and pendulum are the same for all.
"""

import argparse
from typing import Any

import torch
from measurement import write_result
from stepping import install_peers, our_rate, peer_rate

from icrl.plugins import plugin_host

SIZES = (1, 1024, 65_536)
PEER_SIZE, GATE = 16_384, 2.0
"""Beside gymnax on the same CPU we must be so many times as fast."""
COUNTERPARTS: dict[str, tuple[str, dict[str, Any]]] = {
    "icrl/BernoulliBandit-v0": ("BernoulliBandit-misc", {"num_arms": 2, "horizon": 100}),
    "icrl/DarkRoomTerminating-v0": ("FourRooms-misc", {"size": 11, "horizon": 500}),
    "icrl/GridMaze-v0": ("MetaMaze-misc", {"size": 5, "view": 3, "horizon": 200}),
    "icrl/CartPole-v0": ("CartPole-v1", {"horizon": 500}),
    "icrl/Pendulum-v0": ("Pendulum-v1", {"horizon": 200}),
}
"""Each with the keywords that make it like gymnax's: as many arms, cells and steps."""


def main() -> None:
    """Measure, print, write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3, help="of each of our measurements")
    parser.add_argument("--peer-seconds", type=float, default=10, help="beside gymnax, of each")
    options = parser.parse_args()
    devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    rates: dict[str, dict[str, dict[str, int]]] = {}
    for name in native_ids():
        rates[name] = {
            device: {str(n): our_rate(name, n, device, options.seconds) for n in SIZES}
            for device in devices
        }
        print(f"{name:28}", *(f"{device} {of}" for device, of in rates[name].items()))
    install_peers(cuda="cuda" in devices)
    beside = [
        beside_gymnax(name, device, options.peer_seconds)
        for name in COUNTERPARTS
        for device in devices
    ]
    for row in beside:
        print(row)
    measured: dict[str, Any] = {"steps_per_second": rates, "beside_gymnax": beside, "gate": GATE}
    print(write_result("family_speed", measured, packages=("icrl-envs",)))


def native_ids() -> list[str]:
    """The first id of each class of a native family without pixels."""
    first: dict[str, str] = {}
    for name, provided in plugin_host().families.items():
        if "native" in provided.spec.tags and "pixels" not in provided.spec.tags:
            first.setdefault(provided.spec.entry_point, name)
    return sorted(first.values())


def beside_gymnax(id: str, device: str, seconds: float) -> dict[str, Any]:
    """Ours and the peer, one after the other."""
    peer, arguments = COUNTERPARTS[id]
    ours = our_rate(id, PEER_SIZE, device, seconds, episodes_per_task=1, **arguments)
    theirs = peer_rate("gymnax", PEER_SIZE, seconds, device, peer)
    return {
        "family": id,
        "arguments": arguments,
        "peer": peer,
        "device": device,
        "num_envs": PEER_SIZE,
        "steps_per_second": ours,
        "peer_steps_per_second": theirs["steps_per_second"],
        "ratio": round(ours / theirs["steps_per_second"], 2),
        "versions": theirs["versions"],
    }


if __name__ == "__main__":
    main()
