"""`icrl collect`: learning histories of a source on a family's training tasks."""

from icrl.cli.options import Options
from icrl.cli.output import print_table, say
from icrl.cli.pairing import resolve


def main(options: Options) -> None:
    """Collect, or go on collecting."""
    pairing = resolve(options)

    from icrl.cli.stages import histories

    assert options.out is not None
    store = histories(pairing, options.out)
    say(options, f"The histories are in {options.out}.")
    if not options.quiet:
        print_table(str(options.out), ("what", "value"), store.info().rows())
