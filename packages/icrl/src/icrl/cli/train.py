"""`icrl train`: an agent on a family, from histories or by interaction."""

from icrl.cli.options import Options
from icrl.cli.output import say
from icrl.cli.pairing import resolve


def main(options: Options) -> None:
    """Collect histories if the agent needs them and none are given, and train, or go on."""
    pairing = resolve(options)

    from icrl.cli.record import RunRecord
    from icrl.cli.stages import check_learners, histories, trained

    out = options.out
    assert out is not None and pairing.agent is not None
    check_learners(pairing)
    with RunRecord.of(pairing).claimed(out):
        trained(
            pairing,
            pairing.agent,
            pairing.agent_config,
            out / "agent",
            lambda: histories(pairing, out / "histories"),
        )
    say(
        options,
        f"The agent is in {out / 'agent'}. Next: icrl evaluate {out} --out DIR",
    )
