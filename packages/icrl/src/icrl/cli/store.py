"""`icrl store`: show or verify a history store."""

import dataclasses
import json

from icrl.cli.options import Options
from icrl.cli.output import print_table


def main(options: Options) -> None:
    """Show what a store holds, or read all of it and compare it with its checksums."""
    from icrl.cli.stages import opened

    store = opened(options.directories[0])
    if options.action == "verify":
        store.verify()
    summary = store.info()
    if options.json:
        print(json.dumps(dataclasses.asdict(summary), indent=2))
        return
    print_table(str(options.directories[0]), ("what", "value"), summary.rows())
    if options.action == "verify":
        print(f"Every byte of its {summary.shards} shards is as it was written.")
