"""Modules of networks: a convolution and the max pooling after it in one step, with sparse gradients.

Why. Training the networks of the lung nodule studies spends most of its time in the backward pass of the first
convolution, whose maps are large and are pooled by p x p straight away. Of each p x p values pooling keeps one, so the
gradient that arrives at the convolution is zero at all others. Two separate layers multiply these zeros; here each
pooled value y = max_k (w * patch_k) remembers its place k, and with g = dL/dy

    dL/dw += g patch_k        dL/dpatch_k += g w

which is a p x p-th of the multiplications. (Places are numbered row by row within the window; the first of equal values
counts, as in torch.)

How. Forward, images pass one at a time: the map between the two layers stays in the cache, and only the pooled values
and their places, one byte each, are kept. Backward, images are flat arrays with channels last. A row of a patch is
then contiguous, so both sums are `target[at : at + 16] += factor * source[first : first + 16]` in whole vectors of
the processor (`_add_scaled`), with rows of the kernel padded to a multiple of 16 by zeros. Threads take images in parts
of a fixed size, so that sums do not depend on the number of threads.
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

_BLOCK = 16  # length of the vectors that rows of a kernel are padded to
_IMAGES_OF_PART = 4  # that a thread takes at a time
_LARGEST_POOL = 15  # so that places of a window can be numbered in one byte
_TYPES = {torch.float32, torch.float64}


class PooledConv2d(nn.Conv2d):
    """A convolution without padding and the max pooling after it; weights and values are those of torch's two layers.

    (n, in_channels, height, width) -> (n, out_channels, (height - kernel_size + 1) // pool, ...); windows that are
    incomplete at the far edges are dropped. Under autocast the convolution is computed in bfloat16, the rest in
    float32. Gradients are sparse on a CPU; on other devices, within `torch.func` and when traced, the layers of torch
    are used.
    """

    def __init__(self, in_channels, out_channels, kernel_size, pool):
        super().__init__(in_channels, out_channels, kernel_size)
        self.pool = pool

    def forward(self, images):
        if self._needs_torch(images):
            return functional.max_pool2d(super().forward(images), self.pool)
        return _PooledConvolution.apply(images, self.weight, self.bias, self.pool)

    def _needs_torch(self, images):
        """Return whether only the layers of torch can do the computation."""
        if images.device.type != "cpu" or self.pool > _LARGEST_POOL or not len(images):
            return True
        is_transformed = torch._C._functorch.maybe_current_level() is not None  # vmap, grad
        if is_transformed or torch.jit.is_tracing() or torch.compiler.is_compiling():
            return True
        if torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") is not torch.bfloat16:
            return True
        return not {images.dtype, self.weight.dtype} <= _TYPES

    def extra_repr(self):
        return f"{super().extra_repr()}, pool={self.pool}"


class _PooledConvolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx, images, weight, bias, pool):
        is_autocast = torch.is_autocast_enabled("cpu") and images.dtype is torch.float32
        dtype = torch.get_autocast_dtype("cpu") if is_autocast else images.dtype
        images = _channels_last(images)
        converted = _channels_last(images.to(dtype))
        kernel = _channels_last(weight.detach().to(dtype))
        height, width = ((length - weight.shape[-1] + 1) // pool for length in images.shape[-2:])
        pooled = torch.empty(len(images), height, width, len(weight), dtype=dtype)
        chosen = torch.empty(pooled.shape, dtype=torch.uint8)
        pool_maps, viewed_type = (_pool_bits, torch.int16) if dtype is torch.bfloat16 else (_pool, dtype)
        largest = _array(pooled.view(viewed_type))
        places = _array(chosen)

        def convolve(part):
            for index in range(part.start, part.stop):
                maps = torch.conv2d(converted[index : index + 1], kernel).permute(0, 2, 3, 1)[0]
                pool_maps(_array(maps.view(viewed_type)), pool, largest[index], places[index])

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
        gradients = _array(gradient)
        places = _array(chosen)
        values = _array(functional.pad(images.permute(0, 2, 3, 1).flatten(), (0, padded)))
        kernels = torch.zeros(shape, dtype=images.dtype)
        kernels[:, :, :n_values] = weight.permute(0, 2, 3, 1).flatten(2)
        kernels = _array(kernels).ravel()

        def sum_for_images(part):
            sums = _aligned_zeros((part.stop - part.start) * steps[0] + padded, values.dtype)
            _add_to_images(gradients[part], places[part], ctx.pool, steps, kernels, shape[1:], sums)
            return sums[:-padded]

        def sum_for_weight(part):
            sums = _aligned_zeros(len(kernels), values.dtype)
            _add_to_weight(
                gradients[part], places[part], ctx.pool, steps, values[part.start * steps[0] :], shape[1:], sums
            )
            return sums

        for_images = for_weight = for_bias = None
        if ctx.needs_input_grad[0]:
            sums = torch.from_numpy(np.concatenate(_in_threads(sum_for_images, n_images)))
            for_images = sums.view(n_images, height, width, n_channels).permute(0, 3, 1, 2)
        if ctx.needs_input_grad[1]:
            sums = torch.from_numpy(np.sum(_in_threads(sum_for_weight, n_images), axis=0)).view(shape)
            for_weight = sums[:, :, :n_values].unflatten(2, (-1, n_channels)).permute(0, 3, 1, 2).to(weight.dtype)
        if ctx.needs_input_grad[2]:
            for_bias = gradient.sum((0, 1, 2)).to(weight.dtype)
        return for_images, for_weight, for_bias, None


def _in_threads(function, n_images):
    """Return the results of a function of slices of a few images each, computed in as many threads as torch uses."""
    parts = [slice(start, min(start + _IMAGES_OF_PART, n_images)) for start in range(0, n_images, _IMAGES_OF_PART)]
    n_threads = torch.get_num_threads()
    if min(n_threads, len(parts)) == 1:
        return [function(part) for part in parts]
    try:
        with ThreadPoolExecutor(min(n_threads, len(parts)), initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(function, parts))
    finally:
        torch.set_num_threads(n_threads)


def _channels_last(tensor):
    """Return the tensor with strides that torch recognises as channels last, also if it has one channel."""
    n_channels, height, width = tensor.shape[1:]
    rows = tensor.permute(0, 2, 3, 1).contiguous()
    return rows.as_strided(tensor.shape, (n_channels * height * width, 1, n_channels * width, n_channels))


def _array(tensor):
    return tensor.detach().numpy()


def _aligned_zeros(length, dtype):
    """Return zeros that begin at a cache line, where whole vectors are read and written fastest."""
    zeros = np.zeros(length + _BLOCK, dtype)
    start = -zeros.ctypes.data // zeros.itemsize % _BLOCK
    return zeros[start : start + length]


@njit(cache=True, nogil=True)
def _pool(maps, pool, largest, chosen):
    """Fill in the largest value of each window of maps (height, width, channels), and its first place."""
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
    """Do what `_pool` does for bfloat16 viewed as int16, which sorts alike if bits of negative numbers are flipped."""
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
    """Compute target[at : at + 16] += factor * source[first : first + 16] for each first and factor, in whole vectors.

    Bounds are not checked. A loop would check at run time whether target and source overlap, which takes longer than
    the sum.
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
    """Add gradient x chosen patch of the flat images to the sums (n_out, *kernel_shape), four pixels at a time.

    Here and below `steps` lead from a value of the flat images to the next image, row and pixel.
    """
    n_images, height, width, n_out = gradient.shape
    offsets, blocks = _offsets(pool, steps), _blocks(kernel_shape, steps)
    gradients, places = gradient.reshape(-1), chosen.reshape(-1)
    zero = gradients.dtype.type(0)
    for index in range(n_images):
        for y in range(height):
            for x in range(0, width, 4):
                corner = index * steps[0] + y * pool * steps[1] + x * pool * steps[2]
                second, third, fourth = min(1, width - 1 - x), min(2, width - 1 - x), min(3, width - 1 - x)
                # Where the gradients of four pixels begin; beyond the edge the last one repeats, with a factor of 0.
                a = ((index * height + y) * width + x) * n_out
                b, c, d = a + second * n_out, a + third * n_out, a + fourth * n_out
                at = 0
                step = pool * steps[2]
                for channel in range(n_out):
                    starts = (
                        corner + offsets[places[a + channel]],
                        corner + offsets[places[b + channel]] + second * step,
                        corner + offsets[places[c + channel]] + third * step,
                        corner + offsets[places[d + channel]] + fourth * step,
                    )
                    factors = (
                        gradients[a + channel],
                        gradients[b + channel] if second == 1 else zero,
                        gradients[c + channel] if third == 2 else zero,
                        gradients[d + channel] if fourth == 3 else zero,
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
    """Return the offset of each vector of a kernel from the start of its patch in the flat images."""
    n_blocks = kernel_shape[1] // _BLOCK
    blocks = np.empty(kernel_shape[0] * n_blocks, np.int64)
    for number in range(len(blocks)):
        blocks[number] = number // n_blocks * steps[1] + number % n_blocks * _BLOCK
    return blocks


@njit(cache=True, nogil=True)
def _offsets(pool, steps):
    """Return the offset of each place of a window from its corner in the flat images."""
    offsets = np.empty(pool * pool, np.int64)
    for place in range(pool * pool):
        offsets[place] = place // pool * steps[1] + place % pool * steps[2]
    return offsets
