"""`icrl run`: collect if needed, train, evaluate beside what the agent is compared with, report."""

import time
from functools import cache
from pathlib import Path

from icrl.cli.options import Options
from icrl.cli.output import say
from icrl.cli.pairing import Pairing, resolve
from icrl.progress import duration_text


def main(options: Options) -> None:
    """Do what is not done yet of a whole run, and show its results."""
    began = time.monotonic()
    pairing = resolve(options)

    from icrl.cli.comparison import Comparison
    from icrl.cli.record import RunRecord
    from icrl.cli.report import show
    from icrl.cli.stages import check_learners, histories, trained

    out = options.out or default_directory(pairing)
    check_learners(pairing)
    assert pairing.agent is not None
    store = cache(lambda: histories(pairing, out / "histories"))
    with RunRecord.of(pairing).claimed(out):
        agent = trained(pairing, pairing.agent, pairing.agent_config, out / "agent", store)
    results = Comparison.of(pairing, out, store).results(agent)
    show(options, results, out / "report")
    say(options, f"It took {duration_text(time.monotonic() - began)}.")


def default_directory(pairing: Pairing) -> Path:
    """Where a run goes of which nobody said where."""
    options = pairing.options
    family = (options.family or "").rpartition("/")[2].replace(":", "-")
    return Path("runs") / f"{options.agent}-{family}-seed{pairing.seed}"
