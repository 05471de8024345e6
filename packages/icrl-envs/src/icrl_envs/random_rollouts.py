"""What uniformly random actions earn, by playing them, where no closed form is known."""

import torch
from torch import Tensor

from icrl.native import NativeFamily
from icrl.random_agent import RandomPolicy
from icrl.tasks import Tasks
from icrl.timestep import TimeStep
from icrl.trees import map_tree

EPISODES = 2048
"""Of each task; the standard error is the returns' standard deviation divided by 45."""


def simulated_random_return(family: NativeFamily, tasks: Tasks) -> Tensor:
    """What uniformly random actions earn in an episode, [tasks] float32, on the tasks' device.

    Every task is played with the same noise, so that what is said of one does not depend on the
    others, and tasks are compared fairly. For families whose transitions draw no noise.
    """
    generator = torch.Generator().manual_seed(0)
    noise = generator.get_state()
    on_cpu = tasks.to("cpu")
    opened = [
        family.initial(task.repeat(EPISODES).arrays, generator.set_state(noise)) for task in on_cpu
    ]
    state = map_tree(lambda *parts: torch.cat(parts), *opened)
    rows = on_cpu.repeat(EPISODES).arrays
    policy = RandomPolicy(family.action_space, "cpu")
    timestep = TimeStep.first(torch.zeros(EPISODES), family.action_space)
    earned = torch.zeros(len(tasks) * EPISODES)
    running = torch.ones_like(earned)
    assert family.max_episode_steps is not None
    for _ in range(family.max_episode_steps):
        drawn, _ = policy.act(timestep, None, generator)
        action = map_tree(lambda leaf: torch.cat([leaf] * len(tasks)), drawn)
        state, reward, terminated, _ = family.transition(state, action, rows, generator)
        earned += reward * running
        if terminated is not None:
            running = running * ~terminated
    mean = earned.view(len(tasks), EPISODES).mean(1)
    return mean.to(next(iter(tasks.arrays.values())).device)
