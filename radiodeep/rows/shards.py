"""A number of cases -> the block of them that one of several runs computes."""

import re
from numbers import Integral
from typing import NamedTuple

from radiodeep.exceptions import InputError
from radiodeep.rows.by_case import CHUNK


class Shard(NamedTuple):
    """One of `count` runs over the same cases; numbers begin with 1."""

    number: int
    count: int

    @classmethod
    def parsed(cls, text):
        """Return the shard of a text such as "3/20"."""
        match = re.fullmatch(r"(\d+)/(\d+)", text)
        shard = cls(*map(int, match.groups())) if match else cls(0, 0)
        if not 1 <= shard.number <= shard.count:
            raise InputError(f"A shard is written as k/n, with k from 1 to n, e.g. 3/20. Got '{text}'.")
        return shard

    @classmethod
    def of(cls, pair):
        """Return the shard of a pair (k, n)."""
        is_pair = isinstance(pair, list | tuple) and len(pair) == 2 and all(isinstance(n, Integral) for n in pair)
        if not is_pair or not 1 <= pair[0] <= pair[1]:
            raise InputError(f"A shard is a pair (k, n), with k from 1 to n, e.g. (3, 20). Got {pair!r}.")
        return cls(*map(int, pair))

    def positions(self, n_items):
        """Return the range of positions of the shard: a block of successive cases.

        Blocks begin where a chunk of cases does, because networks round sums of other batches in another way; if there
        are fewer chunks than shards, they begin at any case.
        """
        if self.count > n_items:
            raise InputError(f"{n_items} cases cannot be divided into {self.count} shards. Use fewer shards.")
        n_chunks = -(-n_items // CHUNK)
        unit = CHUNK if n_chunks >= self.count else 1
        n_units = -(-n_items // unit)
        begin, end = (unit * (n_units * number // self.count) for number in (self.number - 1, self.number))
        return range(begin, min(end, n_items))
