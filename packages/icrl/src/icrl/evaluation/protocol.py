"""The protocol of an evaluation: every task at once, from an empty context, with frozen weights."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from icrl.errors import SpaceError, SplitError, TaskError
from icrl.evaluation.result import Evaluation, Progress
from icrl.evaluation.trials import TrialRecorder, shown_episodes
from icrl.families import Rendered
from icrl.interaction import Transition, play
from icrl.policy import Policy
from icrl.tasks import Tasks
from icrl.trees import leaves
from icrl.vector import TaskVectorEnv

RECORDED_TASKS = 4
STEPS_BETWEEN_LOOKS = 32
"""How often the host looks at an accelerator's counts."""
PARTS = 1024
"""Of an episode, for progress: a power of two, so that adding parts up loses nothing."""
NEVER = torch.iinfo(torch.int64).max


def evaluate(
    policy: Policy,
    env: TaskVectorEnv,
    episodes: int,
    seed: int,
    *,
    agent: str = "policy",
    training_seed: int | None = None,
    memory: str | None = None,
    max_steps: int | None = None,
    allow_training_tasks: bool = False,
    details: Mapping[str, Any] | None = None,
    command: str = "",
    progress: Progress | None = None,
) -> Evaluation:
    """Play trials, one in each row of a vector environment, all at once.

    Every row starts with an empty context and plays its own task for `episodes` episodes; rows that
    are done go on unobserved until the last one is. Several rows of one task are several trials.

    Args:
        policy: what acts.
        env: rows of held-out tasks: `family.vector_env(family.sample_tasks(16, split="test",
            seed=0))`.
        episodes: in each trial.
        seed: of the environments' and the policy's noise.
        agent: how the policy is called in reports.
        training_seed: from which the agent was trained; a report takes results of several as runs
            of one agent.
        memory: how long its context lasts, as an agent's spec says: `none`, `episode` or `trial`.
        max_steps: at most so many steps in each row. Whole episodes that every row has played by
            then remain, or the first one as far as it came, and `episodes_asked` keeps what was
            asked.
        allow_training_tasks: play tasks of the split `train`, on which nothing is learnt about
            generalisation.
        details: what else a reader should know, as plain JSON data.
        command: the command line that asked for it.
        progress: told how many episodes have been played since it was told last; `episodes` for
            each row in all. Of an episode that runs, the part that is over counts, where the family
            says how long one may be.

    Raises:
        SplitError: for tasks of a training split.
        AutoresetError: if phantom steps would come between episodes.
        SpaceError: for an observation or a reward that is not finite, naming row and step.
        TaskError: if a row's task changes meanwhile.
    """
    if episodes < 1 or (max_steps is not None and max_steps < 1):
        raise ValueError(f"episodes={episodes}, max_steps={max_steps}: expected at least 1.")
    check_held_out(env.tasks.split, allow_training_tasks)
    rows = env.tasks.to("cpu")
    tasks, task = distinct(rows)
    tally = Tally(env, episodes)
    recorder = _recorder(env, task, episodes)
    every = 1 if env.device.type == "cpu" else STEPS_BETWEEN_LOOKS
    watch = FiniteWatch(env)
    for step, transition in enumerate(play(policy, env, seed=seed), start=1):
        watch.look(transition, step, tally.counted())
        tally.add(transition)
        if recorder is not None:
            recorder.step(transition)
        out_of_steps = step == max_steps
        if step % every and not out_of_steps:
            continue
        watch.check()
        if recorder is not None:
            recorder.collect()
        if progress is not None and (played := tally.newly_played()):
            progress(played)
        if out_of_steps or tally.done():
            break
    if any(not torch.equal(a, env.tasks.arrays[n].cpu()) for n, a in rows.arrays.items()):
        raise TaskError(
            "the environment drew new tasks meanwhile. Make it without episodes_per_task."
        )
    arrays = tally.arrays()
    recorded = recorder.recorded if recorder is not None else []
    return Evaluation(
        agent=agent,
        tasks=tasks,
        task=task,
        seed=seed,
        **arrays,
        reports_success=env.family.reports_success,
        optimal_return=known(env.family.optimal_return(tasks)),
        random_return=known(env.family.random_return(tasks)),
        episodes_asked=episodes,
        training_seed=training_seed,
        memory=memory,
        details=details or {},
        command=command,
        recorded=tuple(one for one in recorded if one.episode < arrays["returns"].shape[1]),
    )


class Tally:
    """Returns, lengths and successes of each row's first episodes, added up on the device."""

    def __init__(self, env: TaskVectorEnv, episodes: int) -> None:
        self.episodes = episodes
        shape, device = (
            (env.num_envs, episodes + 1),
            env.device,
        )  # the last column takes what is not looked at
        self._returns = torch.zeros(shape, device=device)
        self._lengths = torch.zeros(shape, dtype=torch.int32, device=device)
        self._successes = torch.zeros(shape, dtype=torch.int32, device=device)
        self._reports_success = env.family.reports_success
        self._ended = torch.zeros(env.num_envs, dtype=torch.int64, device=device)
        self._longest = env.family.max_episode_steps
        self._told = 0.0
        self._terminated = torch.zeros(env.num_envs, dtype=torch.bool, device=device)
        self._rewards: list[Tensor] | None = None
        if episodes == env.family.trial_episodes == 1:
            self._rewards = []

    def add(self, transition: Transition) -> None:
        """One step of every row."""
        column = self._ended.clamp(max=self.episodes)[:, None]
        ones = torch.ones_like(column, dtype=torch.int32)
        self._returns.scatter_add_(1, column, transition.reward[:, None])
        self._lengths.scatter_add_(1, column, ones)
        if self._rewards is not None:
            self._rewards.append(transition.reward)
            self._terminated |= transition.terminated & (self._ended == 0)
        if self._reports_success:
            success = transition.info["success"][:, None].to(torch.int32)
            self._successes.scatter_add_(1, column, success)
        self._ended += transition.ended

    def counted(self) -> Tensor:
        """Which rows have not played their episodes yet, [envs] bool."""
        return self._ended < self.episodes

    def done(self) -> bool:
        """Whether every row has played its episodes."""
        return not self.counted().any()

    def newly_played(self) -> float:
        """How many episodes have been played since this was asked last: those that ended, and the
        parts of the others that are over.
        """
        ended = self._ended.clamp(max=self.episodes)
        played = ended.double()
        if self._longest is not None:
            running = self._lengths.gather(1, ended[:, None])[:, 0]
            played += (running / self._longest).masked_fill(~self.counted(), 0)
        total = int(float(played.sum()) * PARTS) / PARTS
        fresh, self._told = total - self._told, total
        return fresh

    def arrays(self) -> dict[str, Any]:
        """What was counted, over the episodes that every row has played (at least the first, as far
        as it came).
        """
        whole = min(self.episodes, int(self._ended.min()))
        kept = slice(0, max(1, whole))
        success = (self._successes[:, kept] > 0).cpu().numpy() if self._reports_success else None
        return {
            "returns": self._returns[:, kept].cpu().numpy().copy(),
            "lengths": self._lengths[:, kept].cpu().numpy().copy(),
            "success": success,
            "rewards": self._step_rewards(),
            "cut": whole == 0,
        }

    def _step_rewards(self) -> np.ndarray | None:
        """Of each row's only episode, [rows, steps], if all are equally long and none terminated: a
        policy that ends every episode with its first step has no curve either.
        """
        shortest, longest = self._lengths[:, 0].aminmax()
        if not self._rewards or shortest != longest or self._terminated.any():
            return None
        return torch.stack(self._rewards[: int(longest)], dim=1).cpu().numpy()


class FiniteWatch:
    """Notes on the device when each row first showed a number that is not finite."""

    def __init__(self, env: TaskVectorEnv) -> None:
        self._id = env.family.id
        self._since = torch.full((env.num_envs,), NEVER, device=env.device)

    def look(self, transition: Transition, step: int, counted: Tensor) -> None:
        """Look at the step of that number, from 1, of the rows that are counted, [envs] bool."""
        led_to = (transition.following.outcome, transition.reward)
        for when, shown in ((step - 1, transition.timestep.observation), (step, led_to)):
            for _, leaf in leaves(shown):
                if leaf.is_floating_point():
                    strange = counted & ~leaf.isfinite().reshape(len(leaf), -1).all(1)
                    self._since = torch.where(strange, self._since.clamp(max=when), self._since)

    def check(self) -> None:
        """
        Raises:
            SpaceError: if some row did.
        """
        step, row = self._since.min(0)
        if step < NEVER:
            raise SpaceError(
                f"{self._id}, environment {int(row)}, step {int(step)}: the observation or the "
                "reward has numbers that are not finite, so that what a policy earns says nothing. "
                "Mend the environment, or wrap it so that it ends the episode before."
            )


def check_held_out(split: str, allow_training_tasks: bool = False) -> None:
    """Refuse the training split, unless told otherwise."""
    if split == "train" and not allow_training_tasks:
        raise SplitError(
            "these tasks are of the split 'train', on which a policy may have been trained: the "
            "result would say nothing about new tasks. Draw them with split='test' (--split test), "
            "or allow it with allow_training_tasks=True (--allow-training-tasks)."
        )


def distinct(rows: Tasks) -> tuple[Tasks, np.ndarray]:
    """The distinct tasks among rows, in the order in which they come, and each row's place among
    them.
    """
    places: dict[bytes, int] = {}
    first: list[int] = []
    task: list[int] = []
    for row in range(len(rows)):
        key = b"".join(array.tobytes() for array in rows.row(row).values())
        if key not in places:
            places[key] = len(first)
            first.append(row)
        task.append(places[key])
    return rows[first], np.array(task, np.int64)


def known(values: Tensor | None) -> np.ndarray | None:
    """A family's answer as an array."""
    return None if values is None else values.detach().cpu().numpy().astype(np.float32)


def _recorder(env: TaskVectorEnv, task: np.ndarray, episodes: int) -> TrialRecorder | None:
    """Records the first trial of the first tasks, if the family can draw them."""
    if not isinstance(env.family, Rendered):
        return None
    _, first = np.unique(task, return_index=True)
    return TrialRecorder(first[:RECORDED_TASKS].tolist(), shown_episodes(episodes), env.device)
