"""What the package registers: its ids, where they work, and that importing them costs and says
nothing.
"""

import re
import subprocess
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest

import icrl_envs
from icrl.plugins.families import family_of
from icrl.spaces import unstack
from icrl_envs.plugin import icrl_families

SPECS = icrl_families()
README = Path(icrl_envs.__file__).parents[2] / "README.md"


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.id)
def test_an_id_can_be_made_alone_and_as_a_batch(spec, made):
    single = made(spec.id)
    batch = gymnasium.make_vec(spec.id, num_envs=3, device="cpu", split="test")
    assert single.observation_space == batch.single_observation_space
    observation, _ = batch.reset(seed=0)
    rows = unstack(single.observation_space, observation)
    assert len(rows) == 3 and all(map(single.observation_space.contains, rows))
    batch.close()


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.id)
def test_a_spec_says_what_it_is(spec):
    assert spec.summary and spec.paper and spec.default_source in ("q-learning", "sb3")
    assert {"native", "wrapped"} & set(spec.tags)


def test_ids_are_distinct():
    assert len({spec.id for spec in SPECS}) == len(SPECS)


def test_the_readme_has_every_id():
    assert set(readme_rows()) == {spec.id for spec in SPECS}


@pytest.mark.parametrize("spec", [s for s in SPECS if "native" in s.tags], ids=lambda s: s.id)
@pytest.mark.parametrize("policy", ["optimal", "random"])
def test_the_readme_states_what_a_policy_earns(spec, policy):
    family = family_of(spec)
    most = 300 if family.max_episode_steps <= 500 else 64  # long Markov chains take their time
    count = min(family.num_tasks.get("train") or most, most)
    tasks = family.sample_tasks(count, seed=0)
    returns = family.optimal_return(tasks) if policy == "optimal" else family.random_return(tasks)
    stated = readme_rows()[spec.id][policy == "random"]
    if returns is None:
        assert stated == "unknown"
        return
    # So few tasks give a mean that is itself uncertain.
    sampled = 4 * returns.std().item() / count**0.5 if count > 1 else 0
    rounded = 0.5 / 10 ** len(stated.partition(".")[2])
    mean = returns.mean().item()
    assert float(stated) == pytest.approx(mean, abs=max(0.03 * abs(mean), sampled, rounded))


def readme_rows():
    """The optimum and the random return of each id, the last columns of its row."""
    pattern = r"^\| `(icrl/[\w-]+)` \|.*\| ([-\d.]+|unknown) \| ([-\d.]+|unknown) \|$"
    rows = re.findall(pattern, README.read_text(), re.M)
    return {name: (optimum, random) for name, optimum, random in rows}


def run(script):
    """A script in an interpreter of its own; what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_importing_prints_nothing_and_loads_no_torch():
    assert run("import sys, icrl_envs; assert 'torch' not in sys.modules") == ""


def test_a_module_qualified_id_needs_no_import():
    script = (
        "import gymnasium; print(gymnasium.make('icrl_envs:icrl/DarkRoom-v0').reset(seed=0)[0])"
    )
    assert run(script) == "[4 4]\n"


def test_a_batch_needs_no_import_either():
    script = (
        "import gymnasium; env = gymnasium.make_vec('icrl_envs:icrl/DarkKeyToDoor-v0', num_envs=3);"
        " print(tuple(env.reset(seed=0)[0].shape))"
    )
    assert run(script) == "(3, 2)\n"


def test_spawned_workers_find_the_id():
    """In the parent the id is registered; a spawned child starts with nothing."""
    env = gymnasium.vector.AsyncVectorEnv(
        [_make_qualified, _make_qualified], context="spawn", daemon=True
    )
    try:
        observation, info = env.reset(seed=[0, 1])
        assert observation.tolist() == [[4, 4], [4, 4]]
        assert info["task"]["goal"].shape == (2, 2)
        assert env.step(np.array([1, 2]))[0].tolist() == [[3, 4], [4, 5]]
    finally:
        env.close()


def _make_qualified():
    import gymnasium

    return gymnasium.make("icrl_envs:icrl/DarkRoom-v0")


def test_asynchronous_vectorization_spawns_the_id_too():
    env = gymnasium.make_vec(
        "icrl/DarkRoomHard-v0",
        num_envs=2,
        vectorization_mode="async",
        vector_kwargs={"context": "spawn"},
        size=5,
    )
    try:
        assert env.reset(seed=0)[0].tolist() == [[2, 2], [2, 2]]
    finally:
        env.close()
