"""`icrl plugins`: every plugin found, also those that failed or are blocked."""

import dataclasses
import json

from icrl.cli.options import Options
from icrl.cli.output import print_table
from icrl.plugins.host import API_VERSION, Record, plugin_host


def main(options: Options) -> None:
    """Print the record of every plugin."""
    records = plugin_host().records
    if options.json:
        print(json.dumps([dataclasses.asdict(record) for record in records], indent=2))
        return
    columns = ("plugin", "version", "status", "provides", "notes")
    rows = [
        (record.key, record.version, record.status, _provides(record), _notes(record))
        for record in records
    ]
    print_table(f"plugins (API {API_VERSION})", columns, rows)


def _provides(record: Record) -> str:
    return "; ".join(f"{kind}: {', '.join(names)}" for kind, names in record.provides.items())


def _notes(record: Record) -> str:
    unknown = ", ".join(record.unknown_hooks)
    notes = [record.error, f"hooks that this icrl does not know: {unknown}" if unknown else ""]
    return "; ".join(note for note in notes if note)
