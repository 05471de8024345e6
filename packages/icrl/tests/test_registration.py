"""Registration: families under Gymnasium's ids, single and batched, here and in spawned workers."""

import subprocess
import sys

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode

from icrl.drawn import DrawnVectorEnv
from icrl.errors import ConfigError, PluginError, SplitError, TaskError, UsageError
from icrl.plugins.specs import FamilySpec
from icrl.registration import register_families
from icrl.tasks import Tasks
from icrl.testing.corridor import Corridor
from icrl.testing.task_laws import contents

CORRIDOR = FamilySpec(id="icrl-tests/Corridor-v0", entry_point="icrl.testing.corridor:Corridor")
TWO_CELLS = FamilySpec(id="icrl-tests/TwoCells-v0", entry_point="icrl.testing.two_cells:TwoCells")


@pytest.fixture(autouse=True)
def registered():
    register_families([CORRIDOR, TWO_CELLS])
    yield
    for spec in (CORRIDOR, TWO_CELLS):
        gymnasium.registry.pop(spec.id, None)


class Endless(Corridor):
    """A corridor whose training split has no end."""

    def __init__(self):
        super().__init__()
        self.num_tasks = {"train": None, "test": self.num_tasks["test"]}

    def sample_tasks(self, num_tasks, *, split="train", seed):
        drawn = torch.randint(10**6, (num_tasks,), generator=torch.Generator().manual_seed(seed))
        gain = (1 + drawn / 10**6)[:, None].expand(-1, 3).clone()
        return Tasks(self.id, {}, split, {"goal": drawn % 7, "gain": gain})


def test_registering_again_changes_nothing():
    before = gymnasium.registry[CORRIDOR.id]
    register_families([CORRIDOR])
    assert gymnasium.registry[CORRIDOR.id] is before


def test_no_horizon_is_registered():
    assert gymnasium.registry[CORRIDOR.id].max_episode_steps is None


def test_another_family_of_the_same_id_is_refused():
    other = FamilySpec(id=CORRIDOR.id, entry_point="elsewhere:Corridor")
    with pytest.raises(PluginError, match=r"as icrl.testing.corridor:Corridor; elsewhere:Corridor"):
        register_families([other])


def test_make_gives_a_single_environment_of_the_family():
    env = gymnasium.make(CORRIDOR.id, split="test", episodes_per_task=3)
    assert env.unwrapped.family.id == CORRIDOR.id
    assert env.spec.id == CORRIDOR.id


def test_make_vec_gives_a_task_vector_environment():
    env = gymnasium.make_vec(CORRIDOR.id, num_envs=5, split="test")
    assert isinstance(env, DrawnVectorEnv) and env.num_envs == 5
    assert env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    observation, _ = env.reset(seed=0)
    assert isinstance(observation, torch.Tensor) and observation.shape == (5,)


def test_a_family_without_a_single_environment_says_what_to_use():
    with pytest.raises(UsageError, match=r"offers no single environment.*make_vec"):
        gymnasium.make(TWO_CELLS.id)


def test_make_vec_serves_a_family_that_is_not_native():
    env = gymnasium.make_vec(TWO_CELLS.id, num_envs=3)
    assert env.reset(seed=0)[0].shape == (3,)
    env.close()


def test_an_unknown_keyword_is_refused_with_those_there_are():
    with pytest.raises(ConfigError, match=r"has no keyword 'size'\. It has: reports_success"):
        gymnasium.make_vec(TWO_CELLS.id, num_envs=3, size=9)


def test_an_own_vector_entry_point_is_called():
    spec = FamilySpec(
        id="icrl-tests/Own-v0",
        entry_point=CORRIDOR.entry_point,
        vector_entry_point=f"{__name__}:vector_env_of_its_own",
    )
    register_families([spec])
    try:
        env = gymnasium.make_vec(spec.id, num_envs=3, device="cpu", split="test")
    finally:
        gymnasium.registry.pop(spec.id)
    assert env.arguments == (3, "cpu", "test", {"episodes_per_task": None})


def vector_env_of_its_own(num_envs, device, split, **arguments):
    family = Corridor()
    env = family.vector_env(family.sample_tasks(num_envs, seed=0), device=device)
    env.arguments = (num_envs, device, split, arguments)
    return env


# Drawn tasks


def test_a_seed_draws_the_tasks_of_all_rows():
    env = DrawnVectorEnv(Corridor(), 211)
    env.reset(seed=3)
    first = contents(env.tasks)
    env.reset()
    assert contents(env.tasks) == first
    env.reset(seed=4)
    assert contents(env.tasks) != first
    env.reset(seed=3)
    assert contents(env.tasks) == first


def test_tasks_are_drawn_with_replacement_from_the_whole_split():
    family = Corridor()
    env = DrawnVectorEnv(family, 997, split="test")
    env.reset(seed=0)
    every = contents(family.sample_tasks(family.num_tasks["test"], split="test", seed=0))
    assert set(contents(env.tasks)) == set(every)


def test_drawn_rows_redraw_from_the_whole_split():
    env = DrawnVectorEnv(Corridor(), 3, episodes_per_task=1)
    env.reset(seed=0)
    seen = set(contents(env.tasks))
    for _ in range(53):
        env.reset()
        seen |= set(contents(env.tasks))
    assert len(seen) > 40


def test_a_split_without_end_gives_every_row_a_task():
    env = DrawnVectorEnv(Endless(), 211)
    env.reset(seed=0)
    assert len(set(contents(env.tasks))) > 200
    redrawing = DrawnVectorEnv(Endless(), 3, episodes_per_task=1)
    redrawing.reset(seed=0)
    before = contents(redrawing.tasks)
    redrawing.reset()
    assert contents(redrawing.tasks) != before


def test_a_drawn_environment_steps_as_the_one_it_plays():
    env = DrawnVectorEnv(Corridor(), 5)
    observation, _ = env.reset(seed=0)
    right = torch.ones(5, dtype=torch.int64)
    stepped = [env.step(right) for _ in range(3)]
    again, _ = env.reset(seed=0)
    assert torch.equal(observation, again)
    for one in stepped:
        other = env.step(right)
        assert all(torch.equal(a, b) for a, b in zip(one[:4], other[:4], strict=True))


def test_a_drawn_environment_of_no_split_is_refused():
    with pytest.raises(SplitError, match="no split 'dev'"):
        DrawnVectorEnv(Corridor(), 3, split="dev")


def test_a_drawn_environment_without_rows_is_refused():
    with pytest.raises(TaskError, match="num_envs=0"):
        DrawnVectorEnv(Corridor(), 0)


def test_registering_imports_no_torch():
    script = (
        "import sys; import icrl.registration; from icrl.plugins.specs import FamilySpec; "
        "icrl.registration.register_families([FamilySpec(id='a/B-v0', entry_point='c:D')]); "
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == b""


def test_numpy_rewards_are_not_needed_by_sync_vectorization():
    env = gymnasium.make_vec(CORRIDOR.id, num_envs=3, vectorization_mode="sync")
    observation, info = env.reset(seed=0)
    assert isinstance(observation, np.ndarray) and "task" in info
    env.close()
