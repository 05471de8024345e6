"""Counts: keywords that are whole numbers, checked before anything is built from them."""

from icrl.errors import ConfigError


def check_counts(least: int, **counts: int) -> None:
    """Refuse what is no whole number, or too small, naming the keyword.

    Raises:
        ConfigError: with what is expected.
    """
    for name, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, int) or count < least:
            raise ConfigError(f"{name}={count!r}: expected a whole number, {least} or more.")
