"""How many steps a second the peers make. It runs in `.bench`, where no icrl and no torch is.

    .bench/bin/python benchmarks/env_speed_peers.py toymeta|gymnax ID [--num-envs N] [--seconds S]

Prints one line of JSON.
"""

import argparse
import json
import time
from importlib.metadata import version
from statistics import median

STEPS = 500
"""Steps of all environments in one timed piece of gymnax, which is compiled as a whole."""


def main() -> None:
    """Measure one peer."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peer", choices=("toymeta", "gymnax"))
    parser.add_argument("id", help="of the peer's environment")
    parser.add_argument("--num-envs", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    arguments = parser.parse_args()
    measure = {"toymeta": toymeta, "gymnax": gymnax}[arguments.peer]
    print(json.dumps(measure(arguments.id, arguments.num_envs, arguments.seconds)))


def toymeta(id: str, num_envs: int, seconds: float) -> dict[str, object]:
    """An id in Gymnasium's SyncVectorEnv, with random actions of its action space."""
    import gymnasium
    import toymeta  # noqa: F401 (registers the id)

    make = [lambda: gymnasium.make(id, disable_env_checker=True)] * num_envs
    env = gymnasium.vector.SyncVectorEnv(make)
    env.reset(seed=0)
    env.action_space.seed(0)

    def piece() -> int:
        for _ in range(20):
            env.step(env.action_space.sample())
        return 20 * num_envs

    packages = {name: version(name) for name in ("toymeta", "gymnasium", "numpy")}
    return {"steps_per_second": rate(piece, seconds), "num_envs": num_envs, "versions": packages}


def gymnax(id: str, num_envs: int, seconds: float) -> dict[str, object]:
    """An id, vmapped and scanned in one compiled piece that draws random actions.

    Only rewards are read: what it takes to observe is compiled away, in the peer's favour.
    """
    import gymnax
    import jax

    env, parameters = gymnax.make(id)
    _, states = jax.vmap(env.reset, in_axes=(0, None))(
        jax.random.split(jax.random.PRNGKey(0), num_envs), parameters
    )

    def step(carry, _):
        key, states = carry
        key, act_key, step_key = jax.random.split(key, 3)
        actions = jax.random.randint(act_key, (num_envs,), 0, env.num_actions)
        keys = jax.random.split(step_key, num_envs)
        _, states, rewards, *_ = jax.vmap(env.step, in_axes=(0, 0, 0, None))(
            keys, states, actions, parameters
        )
        return (key, states), rewards.sum()

    compiled = jax.jit(lambda carry: jax.lax.scan(step, carry, None, STEPS))
    carry = (jax.random.PRNGKey(1), states)

    def piece() -> int:
        nonlocal carry
        carry, sums = compiled(carry)
        jax.block_until_ready((carry, sums))
        return STEPS * num_envs

    packages = {name: version(name) for name in ("gymnax", "jax", "jaxlib")}
    return {
        "steps_per_second": rate(piece, seconds),
        "num_envs": num_envs,
        "device": str(jax.devices()[0]),
        "versions": packages,
    }


def rate(piece, seconds: float) -> int:
    """The median rate of pieces that are repeated for so long, after one unmeasured."""
    piece()
    rates, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(rates) < 3:
        start = time.perf_counter()
        steps = piece()
        rates.append(steps / (time.perf_counter() - start))
    return round(median(rates))


if __name__ == "__main__":
    main()
