"""Rules: the keywords that the dark rooms share, checked before anything is built from them."""

from typing import get_args

from icrl.errors import ConfigError
from icrl_envs.counts import check_counts
from icrl_envs.rooms import Start, View


def check_rules(
    horizon: int, trial_episodes: int, start: str, observation: str, *more_starts: str
) -> None:
    """Refuse what is out of range, naming the keyword.

    Raises:
        ConfigError: with what is expected.
    """
    check_counts(1, horizon=horizon, trial_episodes=trial_episodes)
    for name, word, words in (
        ("start", start, (*get_args(Start), *more_starts)),
        ("observation", observation, get_args(View)),
    ):
        if word not in words:
            raise ConfigError(f"{name}={word!r}: expected one of {', '.join(words)}.")
