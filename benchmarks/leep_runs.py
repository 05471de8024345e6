"""LEEP's runs: one training of a variant with its curve, which `leep_procgen.py` puts together."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback

from icrl import make_family
from icrl.agent import Interface
from icrl.families import TaskFamily
from icrl.interaction import play
from icrl.policy import Policy
from icrl.sb3 import SB3Policy, TaskVecEnv, own_globals
from icrl.tasks import Tasks
from icrl.training_view import training_pool, training_view
from icrl_leep.actor_critic import MemberActorCritic
from icrl_leep.config import LEEPConfig
from icrl_leep.learning import LEEPAgent, bootstraps
from icrl_leep.linked_ppo import LinkedPPO
from icrl_leep.policy import LinkedPolicy


@dataclass(frozen=True)
class Variant:
    """What sets runs apart from LEEP's."""

    config: dict[str, Any] = field(default_factory=dict)
    """Settings of LEEP."""
    arguments: dict[str, Any] = field(default_factory=dict)
    """The family's keywords."""
    times: int = 1
    """How many times the steps of the others."""
    seeds: int = 5
    """How many runs are made where the command line does not say."""


VARIANTS = {
    "leep": Variant(),
    "leep-average": Variant({"link": "average"}),
    "plain-ensemble": Variant({"alpha": 0.0}),
    "single": Variant({"members": 1}),
    "ppo": Variant(),
}
"""LEEP, its controls, and Stable-Baselines3's own PPO (`single`, LEEP with one member, is the same
algorithm).
"""
REASONS = {
    "leep-all-tasks": Variant({"bootstrap": False}),
    "ppo-32-tasks": Variant(arguments={"num_train_tasks": 32}, seeds=3),
    "leep-four-times": Variant(times=4, seeds=1),
}
"""What an ensemble gives up for its members' differences, each undone by itself: members that have
every task; PPO on as many tasks as a member's bootstrap holds (32 of 50 on average); and members
that each take as many steps as PPO does.
"""
PLAIN = ("ppo", "ppo-32-tasks")
"""Which are Stable-Baselines3's own PPO."""


@dataclass(frozen=True)
class Setting:
    """What all variants have in common."""

    family: str
    arguments: dict[str, Any]
    """The family's keywords; `split_seed` is each run's own."""
    steps: int
    """In the environments, of all members together."""
    config: dict[str, Any]
    """LEEP's settings."""
    num_test: int
    """Test tasks of the curve."""
    num_final_test: int
    """Test tasks of the last policy."""
    points: int = 15
    """How often the policy is evaluated."""
    device: str = "cpu"


GRID_MAZE = Setting(
    family="icrl/GridMaze-v0",
    arguments={"num_train_tasks": 50, "num_test_tasks": 1000},
    steps=3_000_000,
    config={"alpha": 0.3},
    num_test=300,
    num_final_test=1000,
)
"""What two cores finish."""


@dataclass(frozen=True)
class Point:
    """The drawn policy's mean return after some steps, and at the end each task's."""

    steps: int
    train: float
    test: float
    seconds: float
    """Of training so far, without the evaluations."""


def trained(setting: Setting, variant: str, seed: int, directory: Path) -> dict[str, Any]:
    """The results of one run; read from `directory` if it was made before with this setting."""
    path = directory / f"{variant}-{seed}.json"
    asked = {"setting": asdict(setting), "variant": variant, "seed": seed}
    asked = json.loads(json.dumps(asked))
    if path.exists():
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["asked"] == asked:
            return found
    result = {"asked": asked, **_run(setting, variant, seed)}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result), encoding="utf-8")
    return result


def _run(setting: Setting, variant: str, seed: int) -> dict[str, Any]:
    torch.set_num_threads(1)
    family, config = _family(setting, variant, seed), _config(setting, variant)
    curve = Curve(setting, config.steps, family, seed, lambda m: _policy(m, family, config.link))
    with own_globals():
        model = learner(setting, variant, seed=seed)
        try:
            curve.look(model)
            model.learn(config.steps, callback=curve)
            curve.look(model)
        finally:
            model.env.close()
    return {
        "curve": [asdict(point) for point in curve.points],
        "final": _final(model, setting, family, seed, config),
    }


def learner(setting: Setting, variant: str, *, seed: int) -> BaseAlgorithm:
    """The learner of a variant on its training tasks; call it within `own_globals`."""
    family = _family(setting, variant, seed)
    agent = LEEPAgent(_config(setting, variant), Interface.of(family), torch.device(setting.device))
    view = training_view(family, None, seed=seed)
    if variant in PLAIN:
        return _stable_baselines(agent, training_pool(view, seed=seed), family, seed)
    return agent.model(agent.environment(view, seed=seed), seed=seed)


def _family(setting: Setting, variant: str, seed: int) -> TaskFamily:
    arguments = {**setting.arguments, **_named(variant).arguments}
    return make_family(setting.family, **arguments, split_seed=seed)


def _config(setting: Setting, variant: str) -> LEEPConfig:
    ours = _named(variant)
    return LEEPConfig(steps=setting.steps * ours.times, **{**setting.config, **ours.config})


def _named(variant: str) -> Variant:
    return (VARIANTS | REASONS)[variant]


def _stable_baselines(
    agent: LEEPAgent, pool: Tasks, family: TaskFamily, seed: int
) -> BaseAlgorithm:
    """SB3's own PPO with the same settings, on all training tasks."""
    config = agent.config
    env = TaskVecEnv(family.vector_env(pool, num_envs=config.num_envs, episodes_per_task=1))
    flat = len(env.observation_space.shape) == 1
    return PPO(
        "MlpPolicy" if flat else "CnnPolicy",
        env,
        learning_rate=config.learning_rate,
        batch_size=config.rollout * config.num_envs // config.minibatches,
        **config.ppo(),
        policy_kwargs={"net_arch": list(config.hidden)} if flat else None,
        seed=seed,
        device=agent.device,
    )


def _policy(
    model: BaseAlgorithm, family: TaskFamily, link: Any, decoding: Any = "sample"
) -> Policy:
    spaces = family.observation_space, family.action_space
    if isinstance(model, LinkedPPO):
        return LinkedPolicy(model.policy, *spaces, link, decoding)
    return SB3Policy(model, *spaces, deterministic=decoding == "argmax")


def _final(
    model: BaseAlgorithm, setting: Setting, family: TaskFamily, seed: int, config: LEEPConfig
) -> dict[str, Any]:
    """Each test task's return of the last policy, drawn and by argmax; members by themselves."""
    tasks = family.sample_tasks(setting.num_final_test, split="test", seed=seed)
    policies = {d: _policy(model, family, config.link, d) for d in ("sample", "argmax")}
    found: dict[str, Any] = {
        decoding: returns(policy, family, tasks, seed=seed).tolist()
        for decoding, policy in policies.items()
    }
    if isinstance(model, LinkedPPO) and config.bootstrap and config.members > 1:
        found["members"] = list(_members_alone(model, family, tasks, seed))
    return found


def _members_alone(
    model: LinkedPPO, family: TaskFamily, test: Tasks, seed: int
) -> Iterator[dict[str, float]]:
    """Each member's mean return, drawn: on its bootstrap, on the training tasks that this left out,
    and on test tasks.
    """
    pool = training_pool(training_view(family, None, seed=seed), seed=seed)
    sets = bootstraps(pool, model.members, torch.Generator().manual_seed(seed))
    spaces = family.observation_space, family.action_space
    for member, own in enumerate(sets):
        policy = LinkedPolicy(_alone(model, member), *spaces, "max", "sample")
        other = [task for task in range(len(pool)) if not _holds(own, pool[task : task + 1])]
        played = {"own": own, "left_out": pool[torch.tensor(other)], "test": test}
        yield {
            name: float(returns(policy, family, tasks, seed=seed).mean())
            for name, tasks in played.items()
        }


def _alone(model: LinkedPPO, member: int) -> MemberActorCritic:
    """A policy of one member."""
    one = MemberActorCritic(
        model.observation_space,
        model.action_space,
        model.lr_schedule,
        **{**model.policy_kwargs, "members": 1},
    )
    weights = model.policy.state_dict()
    for name, parameter in model.policy.named_parameters():
        weights[name] = parameter.detach()[member : member + 1]
    one.load_state_dict(weights)
    return one


def _holds(tasks: Tasks, task: Tasks) -> bool:
    same = [(array == task.arrays[name]).flatten(1).all(1) for name, array in tasks.arrays.items()]
    return bool(torch.stack(same).all(0).any())


def returns(
    policy: Policy, family: TaskFamily, tasks: Tasks, *, episodes: int = 2, seed: int
) -> np.ndarray:
    """The mean return of each task's first episodes, [tasks]."""
    total, ended = torch.zeros(len(tasks)), torch.zeros(len(tasks))
    env = family.vector_env(tasks)
    try:
        for transition in play(policy, env, seed=seed):
            total += transition.reward * (ended < episodes)
            ended += transition.ended
            if bool((ended >= episodes).all()):
                break
    finally:
        env.close()
    return (total / episodes).numpy()


class Curve(BaseCallback):
    """Evaluates the policy between updates, about `points` times."""

    def __init__(
        self,
        setting: Setting,
        steps: int,
        family: TaskFamily,
        seed: int,
        policy: Callable[[BaseAlgorithm], Policy],
    ) -> None:
        super().__init__()
        self.points: list[Point] = []
        self._every = steps / setting.points
        self._family, self._seed, self._policy = family, seed, policy
        view = training_view(family, None, seed=seed)
        self._tasks = (
            training_pool(view, seed=seed),
            family.sample_tasks(setting.num_test, split="test", seed=seed),
        )
        self._clock, self._seconds = time.monotonic(), 0.0

    def look(self, model: BaseAlgorithm) -> None:
        """Evaluate now; the time that it takes is not training's."""
        self._seconds += time.monotonic() - self._clock
        policy = self._policy(model)
        train, test = (
            float(returns(policy, self._family, tasks, seed=self._seed).mean())
            for tasks in self._tasks
        )
        self.points.append(Point(model.num_timesteps, train, test, round(self._seconds, 2)))
        self._clock = time.monotonic()

    def _on_rollout_start(self) -> None:
        if self.model.num_timesteps >= len(self.points) * self._every:
            self.look(self.model)

    def _on_step(self) -> bool:
        return True


def curves(runs: list[dict[str, Any]], what: str) -> Iterator[tuple[int, list[float]]]:
    """The steps of each point, and the runs' values there."""
    for points in zip(*(run["curve"] for run in runs), strict=True):
        yield points[0]["steps"], [point[what] for point in points]
