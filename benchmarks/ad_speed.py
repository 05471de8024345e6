"""Algorithm Distillation's speed: training beside three tokens a step, acting beside recomputing.

    python benchmarks/ad_speed.py [--rounds 5]

Training: gradient steps a second on windows of Dark Room, next to a transformer in plain torch that
takes observation, action and reward as three tokens, as the paper and most implementations do, of
the same width, depth, window and feed-forward size. Both with the paper's attention dropout and
without. Acting: one cached step next to a full pass over the last window. The contestants take
turns in one process, so that what else the machine does befalls them alike; times are medians.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from gymnasium.spaces import Discrete, MultiDiscrete
from measurement import write_result
from torch import Tensor, nn

from icrl.agent import Interface
from icrl.histories import Windows
from icrl.run import Run
from icrl.testing.policies import random_trial
from icrl.timestep import TimeStep
from icrl.trees import map_tree
from icrl_ad.config import DistillationConfig
from icrl_ad.learning import DistillationAgent, Training

SIZE, ACTIONS, HORIZON = 9, 5, 20
WINDOW, BATCH, LAYERS = 100, 64, 4
ATTENTION_DROPOUT = 0.5
TRAINING_GATE, ACTING_GATE = 8.0, 20.0
INTERFACE = Interface(
    MultiDiscrete([SIZE, SIZE]), Discrete(ACTIONS), HORIZON, "icrl/DarkRoom-v0", {}
)


class ThreeTokens(nn.Module):
    """A step is three tokens: observation, action, reward; actions are read off the
    observations.
    """

    def __init__(self, config: DistillationConfig) -> None:
        super().__init__()
        self.cells = nn.Embedding(SIZE * SIZE, config.width)
        self.actions = nn.Embedding(ACTIONS, config.width)
        self.rewards = nn.Linear(1, config.width)
        self.places = nn.Embedding(3 * WINDOW, config.width)
        self.blocks = nn.ModuleList(ThreeTokensBlock(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.head = nn.Linear(config.width, ACTIONS)
        causal = nn.Transformer.generate_square_subsequent_mask(3 * WINDOW)
        self.register_buffer("causal", causal)

    def forward(self, cell: Tensor, action: Tensor, reward: Tensor) -> Tensor:
        """[batch, time] each -> logits [batch, time, actions]."""
        tokens = [self.cells(cell), self.actions(action), self.rewards(reward.unsqueeze(-1))]
        x = torch.stack(tokens, 2).flatten(1, 2) + self.places.weight
        for block in self.blocks:
            x = block(x, self.causal)
        return self.head(self.norm(x[:, ::3]))


class ThreeTokensBlock(nn.Module):
    """`nn.TransformerEncoderLayer`, pre-norm, on `nn.MultiheadAttention(need_weights=False)`."""

    def __init__(self, config: DistillationConfig) -> None:
        super().__init__()
        width = config.width
        self.attention = nn.MultiheadAttention(
            width, config.heads, dropout=config.attention_dropout, batch_first=True
        )
        self.attention_norm, self.feed_forward_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, config.feed_forward), nn.GELU(), nn.Linear(config.feed_forward, width)
        )

    def forward(self, x: Tensor, causal: Tensor) -> Tensor:
        """[batch, tokens, width] -> [batch, tokens, width]."""
        y = self.attention_norm(x)
        attended, _ = self.attention(y, y, y, need_weights=False, attn_mask=causal, is_causal=True)
        x = x + attended
        return x + self.feed_forward(self.feed_forward_norm(x))


class PreparedWindows:
    """Gives the same windows again and again, so that training alone is timed."""

    def __init__(self, windows: Windows) -> None:
        self._windows = windows

    def windows(self, num_windows: int, length: int, *, generator: torch.Generator) -> Windows:
        """The windows."""
        return self._windows


def trial(envs: int, steps: int) -> list[TimeStep]:
    """Random timesteps of Dark Room."""
    generator = torch.Generator().manual_seed(0)
    return random_trial(INTERFACE.observation_space, INTERFACE.action_space, envs, steps, generator)


def stacked(timesteps: list[TimeStep]) -> TimeStep:
    """Timesteps [envs] as one of [envs, time]."""

    def stack(*tensors: Tensor) -> Tensor:
        return torch.stack(tensors, 1)

    names = vars(timesteps[0])
    return TimeStep(**{n: map_tree(stack, *(getattr(t, n) for t in timesteps)) for n in names})


def random_windows() -> Windows:
    """One batch."""
    timesteps = stacked(trial(BATCH, WINDOW))
    action = torch.randint(ACTIONS, (BATCH, WINDOW), generator=torch.Generator().manual_seed(1))
    mask = torch.ones(BATCH, WINDOW, dtype=torch.bool)
    return Windows(timesteps, action, mask, torch.zeros(BATCH, dtype=torch.int64), {})


def our_update(config: DistillationConfig, windows: Windows, run: Run) -> Callable[[], object]:
    """One gradient step of this package, as `icrl train` takes it."""
    agent = DistillationAgent(config, INTERFACE, torch.device("cpu"))
    training = Training(agent.model, agent.config, torch.device("cpu"), run)
    sampler: Any = PreparedWindows(windows)
    return lambda: training.update(0, sampler)


def peers_update(config: DistillationConfig, windows: Windows) -> Callable[[], object]:
    """One gradient step of the peer."""
    model = ThreeTokens(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    row, column = windows.timesteps.observation.unbind(-1)
    reward = windows.timesteps.reward

    def update() -> None:
        logits = model(row * SIZE + column, windows.action, reward)
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), windows.action.flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return update


def in_turns(contestants: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The median seconds of each, taking turns, after one unmeasured round."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name, work in contestants.items():
            start = time.perf_counter()
            work()
            if number:
                times[name].append(time.perf_counter() - start)
    return {name: median(each) for name, each in times.items()}


def training(rounds: int) -> list[dict[str, Any]]:
    """Gradient steps a second, with and without attention dropout."""
    windows, rows = random_windows(), []
    for dropout in (ATTENTION_DROPOUT, 0.0):
        config = DistillationConfig(
            window=WINDOW, batch=BATCH, layers=LAYERS, attention_dropout=dropout
        )
        with tempfile.TemporaryDirectory() as folder:
            run = Run(Path(folder), quiet=True)
            work = {"ours": our_update(config, windows, run), "peer": peers_update(config, windows)}
            times = in_turns(work, rounds)
        rows.append(
            {
                "attention_dropout": dropout,
                "updates_per_second": round(1 / times["ours"], 2),
                "three_tokens_updates_per_second": round(1 / times["peer"], 2),
                "ratio": round(times["peer"] / times["ours"], 1),
            }
        )
        print("training", rows[-1])
    return rows


def acting(num_envs: int, rounds: int) -> dict[str, Any]:
    """Seconds of a cached step and of recomputing the window, and the step late in a trial."""
    config = DistillationConfig(window=WINDOW, layers=LAYERS)
    policy = DistillationAgent(config, INTERFACE, torch.device("cpu")).policy()
    generator = torch.Generator().manual_seed(0)
    steps = trial(num_envs, WINDOW)
    window = stacked(steps)
    contexts = {"early": policy.initial_context(num_envs), "late": policy.initial_context(num_envs)}
    for _ in range(2):
        for step in steps:
            policy.act(step, contexts["early"], generator)
    late = contexts["late"]
    while late.steps < 50 * WINDOW:
        policy.act(steps[late.steps % WINDOW], late, generator)

    def several(context: Any) -> Callable[[], object]:
        return lambda: [policy.act(step, context, generator) for step in steps[:REPEATED]]

    def recompute() -> None:
        policy.draw(policy.logits(window)[:, -1], generator)

    work = {name: several(context) for name, context in contexts.items()}
    times = in_turns({**work, "recomputed": recompute}, rounds)
    early, late_step = times["early"] / REPEATED, times["late"] / REPEATED
    row = {
        "envs": num_envs,
        "milliseconds_per_cached_step": round(1e3 * early, 3),
        "milliseconds_after_50_windows": round(1e3 * late_step, 3),
        "milliseconds_recomputed": round(1e3 * times["recomputed"], 3),
        "ratio": round(times["recomputed"] / early, 1),
        "late_over_early": round(late_step / early, 2),
    }
    print("acting", row)
    return row


def on_one_thread(measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The same as it is where many processes share a machine: recomputing gains from more threads,
    a step of few environments hardly does.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return measure()
    finally:
        torch.set_num_threads(threads)


REPEATED = 100
"""Cached steps in one measurement, in a row, as a trial has them."""


def main() -> None:
    """Measure, print, write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.manual_seed(0)
    measured = {
        "model": {"width": 64, "heads": 4, "layers": LAYERS, "feed_forward": 256},
        "window": WINDOW,
        "batch": BATCH,
        "training": training(options.rounds),
        "training_gate": TRAINING_GATE,
        "acting": [acting(num_envs, options.rounds) for num_envs in (16, 1024)],
        "acting_on_one_thread": on_one_thread(lambda: acting(16, options.rounds)),
        "acting_gate": ACTING_GATE,
        "rounds": options.rounds,
    }
    path = write_result("ad_speed", measured, packages=("icrl-ad", "lightning-fabric"))
    print(f"gates: training {TRAINING_GATE}, acting {ACTING_GATE}; {path}")


if __name__ == "__main__":
    main()
