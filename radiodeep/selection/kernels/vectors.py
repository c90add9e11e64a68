"""Rows of numbers -> sums of their differences: loops that use all vector registers, written in LLVM.

The compiler does not generate such loops: it prefers narrower vectors, and keeps the sums in memory.
"""

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 32

# A tile of registers: ROWS rows against VECTORS vectors of WIDTH rows. It must fit into the vector registers of the
# processor: 32 of 8 numbers with AVX-512, else 16 of 4 (or 32 of 2, which is as many numbers).
ROWS, VECTORS, WIDTH = (8, 2, 8) if llvmlite.binding.get_host_cpu_features().get("avx512f") else (4, 2, 4)
STEP = WIDTH * VECTORS


@intrinsic
def add_tile(typing_context, left, left_start, right, right_start, n_features, tile, tile_start):
    """Add the differences of `n_features` plain features to ROWS x STEP distances.

    left, right and tile are flat; the next feature is 32 numbers further in left and right, the next row 32 in tile.
    """
    array, size = types.Array(types.float64, 1, "C"), types.int64
    signature = types.void(array, size, array, size, size, array, size)

    def generate(context, builder, signature, arguments):
        vectors = _Vectors(context, builder)
        left, right, tile = (vectors.numbers(signature.args[i], arguments[i]) for i in (0, 2, 5))
        left_start, right_start, n_features, tile_start = (arguments[i] for i in (1, 3, 4, 6))
        lanes = range(0, STEP, WIDTH)
        totals = {(row, lane): cgutils.alloca_once(builder, vectors.kind) for row in range(ROWS) for lane in lanes}
        for (row, lane), total in totals.items():
            builder.store(vectors.load(tile, tile_start, row * LANES + lane), total)
        with cgutils.for_range(builder, n_features) as loop:
            further = builder.mul(loop.index, ir.Constant(loop.index.type, LANES))
            of_right, of_left = builder.add(right_start, further), builder.add(left_start, further)
            right_vectors = {lane: vectors.load(right, of_right, lane) for lane in lanes}
            for row in range(ROWS):
                left_vector = vectors.repeated(left, of_left, row)
                for lane, right_vector in right_vectors.items():
                    vectors.add_difference(left_vector, right_vector, totals[row, lane])
        for (row, lane), total in totals.items():
            vectors.store(builder.load(total), tile, tile_start, row * LANES + lane)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def sum_plain(typing_context, table, row, others, n_others, feature, total, start):
    """Set total[start : start + 32] to the sum of the differences of 32 plain features to some rows.

    table is flat; row, and the `n_others` numbers in others, are the places in it where the rows begin; `feature` is
    the first of the 32.
    """
    array, places, size = types.Array(types.float64, 1, "C"), types.Array(types.int64, 1, "C"), types.int64
    signature = types.void(array, size, places, size, size, array, size)

    def generate(context, builder, signature, arguments):
        vectors = _Vectors(context, builder)
        table, others, total = (vectors.numbers(signature.args[i], arguments[i]) for i in (0, 2, 5))
        row, n_others, feature, start = (arguments[i] for i in (1, 3, 4, 6))
        lanes = range(0, LANES, WIDTH)
        own = {lane: vectors.load(table, builder.add(row, feature), lane) for lane in lanes}
        sums = {lane: cgutils.alloca_once_value(builder, ir.Constant(vectors.kind, None)) for lane in lanes}
        with cgutils.for_range(builder, n_others) as loop:
            other = builder.add(builder.load(builder.gep(others, [loop.index]), align=8), feature)
            for lane in lanes:
                vectors.add_difference(own[lane], vectors.load(table, other, lane), sums[lane])
        for lane in lanes:
            vectors.store(builder.load(sums[lane]), total, start, lane)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def add_shares(typing_context, table, row, others, n_others, divisor, weight, feature, scores):
    """Add weight * (difference / divisor) to scores[feature : feature + 32] for each of some rows in turn.

    table is flat; row, and the `n_others` numbers in others, are the places in it where the rows begin. The quotient is
    the correctly rounded one: the product with the reciprocal, corrected by its remainder.
    """
    array, places = types.Array(types.float64, 1, "C"), types.Array(types.int64, 1, "C")
    size, real = types.int64, types.float64
    signature = types.void(array, size, places, size, real, real, size, array)

    def generate(context, builder, signature, arguments):
        vectors = _Vectors(context, builder)
        table, others, scores = (vectors.numbers(signature.args[i], arguments[i]) for i in (0, 2, 7))
        row, n_others, divisor, weight, feature = (arguments[i] for i in (1, 3, 4, 5, 6))
        lanes = range(0, LANES, WIDTH)
        reciprocal = vectors.spread(builder.fdiv(ir.Constant(ir.DoubleType(), 1.0), divisor))
        minus_divisor, weight = vectors.spread(builder.fneg(divisor)), vectors.spread(weight)
        own = {lane: vectors.load(table, builder.add(row, feature), lane) for lane in lanes}
        sums = {lane: cgutils.alloca_once_value(builder, vectors.load(scores, feature, lane)) for lane in lanes}
        with cgutils.for_range(builder, n_others) as loop:
            other = builder.add(builder.load(builder.gep(others, [loop.index]), align=8), feature)
            for lane in lanes:
                difference = vectors.difference(own[lane], vectors.load(table, other, lane))
                quotient = builder.fmul(difference, reciprocal)
                remainder = vectors.fused(quotient, minus_divisor, difference)
                share = builder.fmul(weight, vectors.fused(remainder, reciprocal, quotient))
                builder.store(builder.fadd(builder.load(sums[lane]), share), sums[lane])
        for lane in lanes:
            vectors.store(builder.load(sums[lane]), scores, feature, lane)
        return context.get_dummy_value()

    return signature, generate


class _Vectors:
    """Writes instructions on vectors of WIDTH numbers into a function that is being compiled."""

    def __init__(self, context, builder):
        self.context, self.builder = context, builder
        self.kind = ir.VectorType(ir.DoubleType(), WIDTH)
        self.magnitude = self._function("fabs", 1)
        self.fused_multiply_add = self._function("fma", 3)

    def numbers(self, kind, array):
        return self.context.make_array(kind)(self.context, self.builder, array).data

    def load(self, data, start, offset):
        return self.builder.load(self._at(data, start, offset), align=8)

    def store(self, vector, data, start, offset):
        self.builder.store(vector, self._at(data, start, offset), align=8)

    def repeated(self, data, start, offset):
        index = self.builder.add(start, ir.Constant(start.type, offset))
        return self.spread(self.builder.load(self.builder.gep(data, [index]), align=8))

    def spread(self, number):
        undefined, position = ir.Constant(self.kind, ir.Undefined), ir.IntType(32)
        first_only = self.builder.insert_element(undefined, number, ir.Constant(position, 0))
        return self.builder.shuffle_vector(first_only, undefined, ir.Constant(ir.VectorType(position, WIDTH), None))

    def difference(self, a, b):
        """|a - b|"""
        return self.builder.call(self.magnitude, [self.builder.fsub(a, b)])

    def fused(self, a, b, c):
        """a * b + c, rounded once"""
        return self.builder.call(self.fused_multiply_add, [a, b, c])

    def add_difference(self, a, b, total):
        self.builder.store(self.builder.fadd(self.builder.load(total), self.difference(a, b)), total)

    def _function(self, name, n_arguments):
        kind = ir.FunctionType(self.kind, [self.kind] * n_arguments)
        return cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.{name}.v{WIDTH}f64")

    def _at(self, data, start, offset):
        index = self.builder.add(start, ir.Constant(start.type, offset))
        return self.builder.bitcast(self.builder.gep(data, [index]), self.kind.as_pointer())
