"""Choices: keywords that are one of a few words, checked before anything is built from them."""

from collections.abc import Sequence
from typing import Any

from icrl.errors import ConfigError


def check_choice(words: Sequence[str], **choices: Any) -> None:
    """Refuse another word, naming the keyword.

    Raises:
        ConfigError: with what is expected.
    """
    for name, word in choices.items():
        if word not in words:
            raise ConfigError(f"{name}={word!r}: expected one of {', '.join(words)}.")
