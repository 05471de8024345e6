"""`icrl train`: an agent on a family, from histories or by interaction."""

from icrl.cli.options import Options
from icrl.cli.output import say
from icrl.cli.pairing import resolve


def main(options: Options) -> None:
    """Collect histories if the agent needs them and none are given, and train, or go on."""
    pairing = resolve(options)

    from icrl.cli.record import RunRecord
    from icrl.cli.stages import check_learners, histories, trained

    assert options.out is not None and pairing.agent is not None
    check_learners(pairing)
    RunRecord.of(pairing).claim(options.out)
    trained(
        pairing,
        pairing.agent,
        pairing.agent_config,
        options.out / "agent",
        lambda: histories(pairing, options.out / "histories"),
    )
    say(
        options,
        f"The agent is in {options.out / 'agent'}. Next: icrl evaluate {options.out} --out DIR",
    )
