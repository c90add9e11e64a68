"""--shard: the part of a table that one of several runs computes, and what it must have in common with the others.

Beside a part ``features-3.csv`` stands ``features-3.csv.shard.json``, which `radiodeep merge` compares.
"""

import json
from pathlib import Path

import radiodeep as rd
from radiodeep.cli.settings import settings_of, sha256_of, versions
from radiodeep.exceptions import InputError
from radiodeep.files import replacing


class ShardRecord:
    """What a command with --shard writes beside its table; nothing without --shard."""

    def __init__(self, context, output):
        text = context.params["shard"]
        self.shard = None if text is None else rd.Shard.parsed(text)
        self.path = record_of(output)
        self.output = output
        if self.shard is not None:
            self.path.unlink(missing_ok=True)  # of an earlier run: it would vouch for a table that is not whole
            self.settings = settings_of(context)

    def positions(self, n_items):
        """Return the positions of the cases, or patients, that are computed."""
        return range(n_items) if self.shard is None else self.shard.positions(n_items)

    def write(self):
        """Write the record of a table that is whole."""
        if self.shard is None:
            return
        options = {
            name: value
            for name, value in self.settings.options.items()
            if name not in (*self.settings.paths, "shard", "sr")
        }
        record = {
            "shard": [*self.shard],
            "sha256 of the table": sha256_of(self.output),
            "same": {
                "command": self.settings.command,
                **{f"--{name}": value for name, value in options.items()},
                **{f"content of {name}": digest for name, digest in self.settings.sha256.items()},
                **{f"version of {name}": version for name, version in versions().items()},
            },
        }
        with replacing(self.path) as part:
            part.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def record_of(table):
    """Return the path of the record of a table."""
    return Path(f"{table}.shard.json")


def checked_parts(paths):
    """Return the tables of all shards in their order; raise InputError unless they are the parts of one table."""
    records = {}
    for path in paths:
        try:
            record = json.loads(record_of(path).read_text(encoding="utf-8"))
            number, count = record["shard"]
            digest, same = record["sha256 of the table"], record["same"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"'{path.name}' has no '{record_of(path).name}' beside it, which a command with --shard writes when "
                "its table is whole. Run that shard again, or keep the two files together."
            ) from error
        if sha256_of(path) != digest:
            raise InputError(f"'{path.name}' has changed since it was written. Run that shard again.")
        if number in records:
            raise InputError(f"'{records[number][0].name}' and '{path.name}' are both shard {number}/{count}.")
        records[number] = path, count, same
    first, count, same = next(iter(records.values()))
    for path, other_count, other in records.values():
        unlike = [name for name in {**same, **other} if same.get(name) != other.get(name)]
        if unlike:
            name = unlike[0]
            raise InputError(
                f"'{first.name}' and '{path.name}' are no parts of one table: {name} is {same.get(name)} in the first "
                f"and {other.get(name)} in the second. Run all shards with the same command, files and versions."
            )
        if other_count != count:
            raise InputError(f"'{first.name}' is one of {count} shards, '{path.name}' one of {other_count}.")
    missing = [f"{number}/{count}" for number in range(1, count + 1) if number not in records]
    if missing:
        listed = f"{', '.join(missing[:10])}{' ...' if len(missing) > 10 else ''}"
        raise InputError(f"{len(missing)} of {count} shards missing: {listed}. Give the tables of all shards.")
    return [records[number][0] for number in range(1, count + 1)]
