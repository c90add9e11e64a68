"""A convolution and the max pooling after it as one step: images in, pooled maps out, with a gradient that is sparse.

Pooling by p keeps one value of p x p, so that its gradient is zero at all others: the gradients of the convolution
need a p x p-th of the sums that two separate layers compute. Images go through one by one, so that the large map
between the two layers stays in the cache and is never kept.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

_BLOCK = 16  # rows of a kernel are padded to whole vectors of the processor
_PART = 4  # images to a thread at a time
_MOST = 15  # places of a window are numbered in one byte
_TYPES = {torch.float32, torch.float64}


class PooledConv2d(nn.Conv2d):
    """A convolution without padding and the max pooling after it.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size : int
    pool : int
        Size and stride of the pooling; what is left over at the far edges is dropped, as in `torch.nn.MaxPool2d`.

    Notes
    -----
    (n, in_channels, height, width) -> (n, out_channels, (height - kernel_size + 1) // pool, ...). Weights and
    values are those of `Conv2d` followed by `MaxPool2d`; under autocast the convolution is in bfloat16, the rest
    in float32. On a CPU the sparse gradients are used; elsewhere, and inside `torch.func` or a trace, the two layers
    of torch are.

    Examples
    --------
    >>> import torch
    >>> from radiodeep.networks.modules import PooledConv2d
    >>> PooledConv2d(3, 64, 5, pool=3)(torch.rand(2, 3, 100, 100)).shape
    torch.Size([2, 64, 32, 32])
    """

    def __init__(self, in_channels, out_channels, kernel_size, pool):
        super().__init__(in_channels, out_channels, kernel_size)
        self.pool = pool

    def forward(self, images):
        rewritten = torch.jit.is_tracing() or torch.compiler.is_compiling()
        rewritten = rewritten or torch._C._functorch.maybe_current_level() is not None  # vmap, grad
        other_type = bool({images.dtype, self.weight.dtype} - _TYPES)
        if torch.is_autocast_enabled("cpu"):
            other_type = other_type or torch.get_autocast_dtype("cpu") is not torch.bfloat16
        if rewritten or other_type or images.device.type != "cpu" or self.pool > _MOST or not len(images):
            return functional.max_pool2d(super().forward(images), self.pool)
        return _PooledConvolution.apply(images, self.weight, self.bias, self.pool)

    def extra_repr(self):
        return f"{super().extra_repr()}, pool={self.pool}"


class _PooledConvolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx, images, weight, bias, pool):
        quick = torch.is_autocast_enabled("cpu") and images.dtype is torch.float32
        dtype = torch.get_autocast_dtype("cpu") if quick else images.dtype
        images = _channels_last(images)
        as_computed, kernel = _channels_last(images.to(dtype)), _channels_last(weight.detach().to(dtype))
        height, width = ((length - weight.shape[-1] + 1) // pool for length in images.shape[-2:])
        pooled = torch.empty(len(images), height, width, len(weight), dtype=dtype)
        chosen = torch.empty(pooled.shape, dtype=torch.uint8)
        choose, seen_as = (_pool_bits, torch.int16) if dtype is torch.bfloat16 else (_pool, dtype)
        largest, places = _array(pooled.view(seen_as)), _array(chosen)

        def convolve(part):
            for index in range(part.start, part.stop):
                maps = torch.conv2d(as_computed[index : index + 1], kernel).permute(0, 2, 3, 1)[0]
                choose(_array(maps.view(seen_as)), pool, largest[index], places[index])

        _in_threads(convolve, len(images))
        ctx.save_for_backward(images, weight, chosen)
        ctx.pool = pool
        pooled = pooled.to(images.dtype)
        if bias is not None:
            pooled += bias
        return pooled.permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        images, weight, chosen = ctx.saved_tensors
        gradient = gradient.to(images.dtype).permute(0, 2, 3, 1).contiguous()
        n_images, n_channels, height, width = images.shape
        n_values = weight.shape[-1] * n_channels  # of one row of a kernel
        padded = -(-n_values // _BLOCK) * _BLOCK
        shape = (len(weight), weight.shape[-1], padded)
        steps = (height * width * n_channels, width * n_channels, n_channels)  # to the next image, row, pixel
        gradients, places = _array(gradient), _array(chosen)
        values = _array(functional.pad(images.permute(0, 2, 3, 1).flatten(), (0, padded)))
        kernels = torch.zeros(shape, dtype=images.dtype)
        kernels[:, :, :n_values] = weight.permute(0, 2, 3, 1).flatten(2)
        kernels = _array(kernels).ravel()

        def part_for_images(part):
            sums = _aligned_zeros((part.stop - part.start) * steps[0] + padded, values.dtype)
            _add_to_images(gradients[part], places[part], ctx.pool, steps, kernels, shape[1:], sums)
            return sums[:-padded]

        def part_for_weight(part):
            sums = _aligned_zeros(len(kernels), values.dtype)
            _add_to_weight(
                gradients[part], places[part], ctx.pool, steps, values[part.start * steps[0] :], shape[1:], sums
            )
            return sums

        for_images = for_weight = for_bias = None
        if ctx.needs_input_grad[0]:
            sums = torch.from_numpy(np.concatenate(_in_threads(part_for_images, n_images)))
            for_images = sums.view(n_images, height, width, n_channels).permute(0, 3, 1, 2)
        if ctx.needs_input_grad[1]:
            sums = torch.from_numpy(np.sum(_in_threads(part_for_weight, n_images), axis=0)).view(shape)
            for_weight = sums[:, :, :n_values].unflatten(2, (-1, n_channels)).permute(0, 3, 1, 2).to(weight.dtype)
        if ctx.needs_input_grad[2]:
            for_bias = gradient.sum((0, 1, 2)).to(weight.dtype)
        return for_images, for_weight, for_bias, None


def _in_threads(function, n_images):
    """Call the function with slices of a few images each, whatever the number of threads: sums stay the same."""
    parts = [slice(start, min(start + _PART, n_images)) for start in range(0, n_images, _PART)]
    n_threads = torch.get_num_threads()
    if min(n_threads, len(parts)) == 1:
        return [function(part) for part in parts]
    try:
        with ThreadPoolExecutor(min(n_threads, len(parts)), initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(function, parts))
    finally:
        torch.set_num_threads(n_threads)


def _channels_last(tensor):
    """Return the tensor with strides that torch takes for channels last, of one channel too."""
    n_channels, height, width = tensor.shape[1:]
    rows = tensor.permute(0, 2, 3, 1).contiguous()
    return rows.as_strided(tensor.shape, (n_channels * height * width, 1, n_channels * width, n_channels))


def _array(tensor):
    return tensor.detach().numpy()


def _aligned_zeros(length, dtype):
    """Zeros that begin at a cache line, where whole vectors are read and written quickest."""
    zeros = np.zeros(length + _BLOCK, dtype)
    start = -zeros.ctypes.data // zeros.itemsize % _BLOCK
    return zeros[start : start + length]


@njit(cache=True, nogil=True)
def _pool(maps, pool, largest, chosen):
    """(height, width, channels) -> largest of each window and which of its places that is, the first among equals."""
    height, width, n_channels = largest.shape
    for y in range(height):
        for x in range(width):
            for channel in range(n_channels):
                largest[y, x, channel] = maps[y * pool, x * pool, channel]
                chosen[y, x, channel] = 0
            for place in range(1, pool * pool):
                row = maps[y * pool + place // pool, x * pool + place % pool]
                for channel in range(n_channels):
                    if row[channel] > largest[y, x, channel]:
                        largest[y, x, channel] = row[channel]
                        chosen[y, x, channel] = place


@njit(cache=True, nogil=True)
def _pool_bits(maps, pool, largest, chosen):
    """`_pool` of bfloat16 seen as int16: with the lower bits of negative numbers turned over, integers sort alike."""
    height, width, n_channels = largest.shape
    for y in range(height):
        for x in range(width):
            for channel in range(n_channels):
                largest[y, x, channel] = np.int16(-32768)
            for place in range(pool * pool):
                row = maps[y * pool + place // pool, x * pool + place % pool]
                for channel in range(n_channels):
                    key = np.int16(row[channel] ^ ((row[channel] >> 15) & 0x7FFF))
                    if key > largest[y, x, channel]:
                        largest[y, x, channel] = key
                        chosen[y, x, channel] = place
            for channel in range(n_channels):
                key = largest[y, x, channel]
                largest[y, x, channel] = np.int16(key ^ ((key >> 15) & 0x7FFF))


@intrinsic
def _add_scaled(_, target, at, source, firsts, factors):
    """target[at : at + 16] += factor * source[first : first + 16] for each first and factor, in whole vectors.

    Bounds are not checked. Written as a loop, each pair would be compared for overlap, which costs more than the sum.
    """

    def generate(context, builder, _, arguments):
        block = ir.VectorType(context.get_data_type(target.dtype), _BLOCK)
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), _BLOCK), [0] * _BLOCK)
        undefined, align = ir.Constant(block, ir.Undefined), target.dtype.bitwidth // 8

        def pointer(kind, array, index):
            data = context.make_array(kind)(context, builder, array).data
            return builder.bitcast(builder.gep(data, [index]), block.as_pointer())

        place = pointer(target, *arguments[:2])
        total = builder.load(place, align=align)
        for number in range(len(firsts)):
            factor = builder.extract_value(arguments[4], number)
            factor = builder.insert_element(undefined, factor, ir.Constant(ir.IntType(32), 0))
            factor = builder.shuffle_vector(factor, undefined, lanes)
            values = pointer(source, arguments[2], builder.extract_value(arguments[3], number))
            product = builder.fmul(builder.load(values, align=align), factor, flags=["contract"])
            total = builder.fadd(total, product, flags=["contract"])
        builder.store(total, place, align=align)
        return context.get_dummy_value()

    return types.void(target, types.intp, source, firsts, factors), generate


@njit(cache=True, nogil=True)
def _add_to_weight(gradient, chosen, pool, steps, values, kernel_shape, sums):
    """Add gradient x chosen patch of the flat images to the sums (n_out, *kernel_shape), four places at a time."""
    n_images, height, width, n_out = gradient.shape
    offsets, blocks = _offsets(pool, steps), _blocks(kernel_shape, steps)
    gradients, places = gradient.reshape(-1), chosen.reshape(-1)
    none = gradients.dtype.type(0)
    for index in range(n_images):
        for y in range(height):
            for x in range(0, width, 4):
                corner = index * steps[0] + y * pool * steps[1] + x * pool * steps[2]
                second, third, fourth = min(1, width - 1 - x), min(2, width - 1 - x), min(3, width - 1 - x)
                a = ((index * height + y) * width + x) * n_out
                b, c, d = a + second * n_out, a + third * n_out, a + fourth * n_out
                at, step = 0, pool * steps[2]
                for channel in range(n_out):
                    starts = (
                        corner + offsets[places[a + channel]],
                        corner + offsets[places[b + channel]] + second * step,
                        corner + offsets[places[c + channel]] + third * step,
                        corner + offsets[places[d + channel]] + fourth * step,
                    )
                    factors = (
                        gradients[a + channel],
                        gradients[b + channel] if second == 1 else none,  # beyond the edge
                        gradients[c + channel] if third == 2 else none,
                        gradients[d + channel] if fourth == 3 else none,
                    )
                    for block in blocks:
                        firsts = (starts[0] + block, starts[1] + block, starts[2] + block, starts[3] + block)
                        _add_scaled(sums, at, values, firsts, factors)
                        at += _BLOCK


@njit(cache=True, nogil=True)
def _add_to_images(gradient, chosen, pool, steps, kernels, kernel_shape, sums):
    """Add gradient x kernel (padded with zeros) to the flat images at the chosen places."""
    n_images, height, width, n_out = gradient.shape
    offsets, blocks = _offsets(pool, steps), _blocks(kernel_shape, steps)
    gradients, places = gradient.reshape(-1), chosen.reshape(-1)
    number = 0
    for index in range(n_images):
        for y in range(height):
            for x in range(width):
                corner = index * steps[0] + y * pool * steps[1] + x * pool * steps[2]
                at = 0
                for _ in range(n_out):
                    first = corner + offsets[places[number]]
                    for block in blocks:
                        _add_scaled(sums, first + block, kernels, (at,), (gradients[number],))
                        at += _BLOCK
                    number += 1


@njit(cache=True, nogil=True)
def _blocks(kernel_shape, steps):
    """Where in the flat images each vector of a kernel lies, from the start of its patch."""
    n_blocks = kernel_shape[1] // _BLOCK
    blocks = np.empty(kernel_shape[0] * n_blocks, np.int64)
    for number in range(len(blocks)):
        blocks[number] = number // n_blocks * steps[1] + number % n_blocks * _BLOCK
    return blocks


@njit(cache=True, nogil=True)
def _offsets(pool, steps):
    """How far in the flat images each place of a window lies from its corner."""
    offsets = np.empty(pool * pool, np.int64)
    for place in range(pool * pool):
        offsets[place] = place // pool * steps[1] + place % pool * steps[2]
    return offsets
