"""Watermaze: find a platform that you cannot see, by the pictures on the walls around it.

Laskin et al. 2022, "In-context Reinforcement Learning with Algorithm Distillation",
arXiv:2210.14215; after Morris 1981, "Spatial localization does not require the presence of local
cues".
"""

import math
from collections.abc import Mapping

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from icrl.errors import ConfigError
from icrl.families import Episode, Solved
from icrl.native import Consequence, NativeFamily, State, Task
from icrl.tasks import Tasks
from icrl_envs.counts import check_counts
from icrl_envs.raycaster import Camera, arena_hit
from icrl_envs.rooms import paid
from icrl_envs.streams import task_stream
from icrl_envs.strips import Strips
from icrl_envs.swimming import ACTIONS, Pool, RandomSwims, Swimmer
from icrl_envs.view_drawing import arena_map, side_by_side
from icrl_envs.wallpapers import PLACES, arena_paper

DISC, WALL_RADIUS, BODY = 580.0, 680.0, 40.0
"""Radius of the disc in which platforms lie, of the wall, and how near to it a body comes."""


class Watermaze(NativeFamily, Solved):
    """A round pool with five pictures on its wall and a platform under its water.

    | what        | space                     | meaning                                            |
    |-------------|---------------------------|----------------------------------------------------|
    | observation | Box(0, 255, (72, 96, 3))  | uint8 pixels, first person, 90 degrees wide        |
    | action      | Discrete(8)               | forward, back, left, right, rotate left, rotate    |
    |             |                           | right, rotate left and forward, rotate right and   |
    |             |                           | forward                                            |
    | reward      | 0 or 1                    | 1 for the step that ends on the platform           |
    | episode     | 50 steps, truncated       | the platform ends it (terminated)                  |
    | task        | platform [2]              | distance from the centre and direction (radians,   |
    |             |                           | counter-clockwise from the gaze of an opening)     |

    Every episode starts in the centre with the same gaze. Platforms are uniform over the disc of
    radius 580 (DeepMind Lab's units), those within 200 of the centre excluded (as in AD-eps). They
    are never seen. Reaching one is reported as success. Tasks are continuous: train and test draw
    from streams seeded apart, by split and `split_seed`, and so are disjoint with probability one.

    Neither paper gives speeds and sizes. Ours: a stroke is 40 units, a rotation 22.5 degrees, a
    platform has a radius of 60, the wall stands at 680. So the disc can be crossed in 29 steps, and
    whoever knows the platform reaches it in at most 20: the optimum is 1. A uniform random policy
    earns 0.061 (from 8192 random episodes and their mirror images, the same for every task; the
    standard error is 0.0003, of a single task below 0.006).

    Keywords: `height` (72) and `width` (96) in pixels, `horizon` (50), `speed` (40), `num_headings`
    (16 in a full turn), `platform_radius` (60), `min_distance` (200) of platforms from the centre,
    `split_seed`, `trial_episodes` (160). What may keep the platform out of reach is refused.
    """

    action_space = spaces.Discrete(len(ACTIONS))
    terminates = True
    reports_success = True
    dear_observation = True

    def __init__(
        self,
        *,
        height: int = 72,
        width: int = 96,
        horizon: int = 50,
        speed: float = 40.0,
        num_headings: int = 16,
        platform_radius: float = 60.0,
        min_distance: float = 200.0,
        split_seed: int = 0,
        trial_episodes: int = 160,
    ) -> None:
        check_counts(1, height=height, width=width, horizon=horizon)
        check_counts(1, num_headings=num_headings, trial_episodes=trial_episodes)
        check_counts(0, split_seed=split_seed)
        if not 0 < speed <= BODY + DISC or not platform_radius < min_distance < DISC:
            raise ConfigError(
                f"speed={speed}, platform_radius={platform_radius}, min_distance={min_distance}: "
                f"expected a speed above 0 and at most {BODY + DISC:.0f}, and "
                f"platform_radius < min_distance < {DISC:.0f}."
            )
        self.pool = Pool(radius=WALL_RADIUS - BODY, speed=speed, num_headings=num_headings)
        needed = self.pool.most_steps(DISC, platform_radius)
        if needed is None or needed > horizon:
            raise ConfigError(
                f"horizon={horizon}, speed={speed}, platform_radius={platform_radius}: expected a "
                f"platform_radius above speed / √2 = {speed / math.sqrt(2):.1f} and a horizon of "
                f"{needed or 'enough'} steps or more, so that every platform is within reach."
            )
        self.max_episode_steps = horizon
        self._random_swims = RandomSwims(self.pool, horizon)
        self.trial_episodes = trial_episodes
        self._reach, self._min_distance = platform_radius, min_distance
        self._split_seed = split_seed
        self.observation_space = spaces.Box(0, 255, (height, width, 3), np.uint8)
        low, high = np.array([[min_distance, -math.pi], [DISC, math.pi]], np.float32)
        self._bounds = torch.from_numpy(low), torch.from_numpy(high)
        self.task_space = spaces.Dict({"platform": spaces.Box(low, high, dtype=np.float32)})
        self._camera = Camera(height=height, width=width, field_of_view=90, eye=120, wall=320)
        materials, places = arena_paper()
        self._strips = Strips(
            self._camera,
            materials,
            floor=(70, 112, 150),
            ceiling=(150, 178, 200),
            nearest=0.75 * BODY,
            farthest=2 * WALL_RADIUS,
            half_light=900,
        )
        self._places = {torch.device("cpu"): places}

    def sample_tasks(self, num_tasks: int, *, split: str = "train", seed: int) -> Tasks:
        """Platforms [tasks, 2] of a split: distance and direction."""
        self.check_split(split)
        self.check_num_tasks(num_tasks, split)
        stream = task_stream(self._split_seed, split, seed)
        share, turn = torch.rand((2, num_tasks), generator=stream, dtype=torch.float64)
        least = self._min_distance**2
        distance = (least + share * (DISC**2 - least)).sqrt()
        platform = torch.stack((distance, (turn - 0.5) * math.tau), dim=1).float()
        return Tasks(
            self.id, dict(self.arguments), split, {"platform": platform.clamp(*self._bounds)}
        )

    def initial(self, task: Task, generator: torch.Generator) -> State:
        """The agent in the centre; where the platform is, (x, y)."""
        platform = _places(task["platform"])
        heading = torch.zeros_like(platform[:, 0], dtype=torch.int64)
        return {
            "position": torch.zeros_like(platform),
            "heading": heading,
            "platform": platform,
        }

    def transition(
        self, state: State, action: Tensor, task: Task, generator: torch.Generator
    ) -> Consequence:
        """Turn and swim; the platform is reached where a step ends on it."""
        position, heading = self.pool.moved(state["position"], state["heading"], action)
        away = (position - state["platform"]).square().sum(1)
        reached = away <= self._reach**2
        after = {"position": position, "heading": heading, "platform": state["platform"]}
        return Consequence(after, paid(reached), reached, reached)

    def observation(self, state: State, task: Task) -> Tensor:
        """The wall as it is seen from here, and nothing of the platform."""
        position, device = state["position"], state["position"].device
        gaze = self.pool.direction(state["heading"])
        hit = arena_hit(WALL_RADIUS, position, gaze, self._camera.slopes(device))
        if device not in self._places:
            self._places[device] = self._places[torch.device("cpu")].to(device)
        place = (hit.turn * PLACES).int() % PLACES
        material = self._places[device].index_select(0, place.flatten()).view_as(place)
        return self._strips.views(hit.distance, material)

    def render(self, task: Mapping[str, np.ndarray], episode: Episode) -> np.ndarray:
        """The pool from above, with path, gaze and platform, beside what the agent sees."""
        position, heading = torch.zeros((1, 2)), torch.zeros(1, dtype=torch.int64)
        path = [position]
        for action in episode.action[:, None] if len(episode.reward) else ():
            position, heading = self.pool.moved(position, heading, action)
            path.append(position)
        above = arena_map(
            WALL_RADIUS,
            torch.cat(path).numpy(),
            self.pool.direction(heading)[0].numpy(),
            _places(torch.as_tensor(task["platform"])[None])[0].numpy(),
            self._reach,
        )
        return side_by_side(above, episode.observation[-1].cpu().numpy())

    def optimal_return(self, tasks: Tasks) -> Tensor:
        """1: every platform is within reach, as the constructor makes sure, [tasks] float32."""
        return torch.ones_like(tasks.arrays["platform"][:, 0])

    def random_return(self, tasks: Tasks) -> Tensor:
        """The share of random episodes that end a step on the platform, [tasks] float32.

        The same episodes are looked at for every task, so that the answer is always the same.
        """
        platforms = _places(tasks.arrays["platform"])
        return self._random_swims.chances(platforms, self._reach)

    def oracle(self, tasks: Tasks) -> Swimmer:
        """Swims to the platform."""
        return Swimmer(self.pool, _places(tasks.arrays["platform"]))


def _places(platform: Tensor) -> Tensor:
    """Platforms [tasks, 2] (distance, direction) as (x, y), [tasks, 2]."""
    distance, direction = platform.unbind(1)
    return torch.stack((distance * direction.cos(), distance * direction.sin()), dim=1)
