"""In: the bytes of a file. Out: the decoded bytes with verified checksums, never more than the header announces."""

import gzip
import io
import zlib

import numpy as np

from radiodeep.exceptions import TruncatedFileError

try:
    from isal import isal_zlib  # decodes gzip three times as fast as zlib; not every platform has a wheel
except ImportError:
    isal_zlib = None

GZIP = b"\x1f\x8b"
_STEP = 2**18  # compressed bytes decoded at a time, whose result stays in the processor's cache
PADDING = 4096  # zero bytes that may follow the voxels; more bytes, or others, contradict the header
_ERRORS = (EOFError, OSError, ValueError, zlib.error, *([] if isal_zlib is None else [isal_zlib.error]))
_WINDOW_BITS = {"gzip": 31, "zlib": 15}


def decoded(data, encoding, n_bytes, name):
    """Decode a compressed stream ("gzip" or "zlib") of `n_bytes` by its header, with verified checksums.

    Returns a memoryview that can be written to. Decoding stops soon after `n_bytes`, however long the stream is. Raises
    TruncatedFileError, which names the file, if the stream is cut short, fails its checksum, or holds more than
    `n_bytes` and a few zeros.
    """
    limit = n_bytes + PADDING + 1
    try:
        result, rest = _decode(data, encoding, limit)
        if rest.lstrip(b"\0") and encoding == "gzip":  # several streams in one file
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
                result, rest = memoryview(bytearray(file.read(limit))), b""
    except _ERRORS as error:
        raise _damaged(name, error) from error
    if len(result) < n_bytes:
        raise too_short(name, len(result), n_bytes)
    check_padding(result[n_bytes:], n_bytes, name)
    check_padding(rest, n_bytes, name)
    return result[:n_bytes]


def beginning(data, n_bytes, name):
    """Decode the first `n_bytes` of a gzip stream, or fewer if it is shorter."""
    try:
        # By zlib, which stops there; isal would decode all of its input first.
        return zlib.decompressobj(_WINDOW_BITS["gzip"]).decompress(data[: 64 * n_bytes], n_bytes)
    except _ERRORS as error:
        raise _damaged(name, error) from error


def check_padding(tail, n_bytes, name):
    """Raise `TruncatedFileError` unless the voxels are followed by at most a few zeros."""
    if len(tail) > PADDING or any(tail):
        raise TruncatedFileError(
            f"'{name}' holds more data than its header announces ({n_bytes} bytes), so one of them is wrong. "
            "Export it again."
        )


def too_short(name, n_read, n_bytes):
    """Return the error for a file with fewer bytes of voxels than its header announces."""
    return TruncatedFileError(
        f"'{name}' holds fewer voxels than its header says: {n_read} bytes, expected {n_bytes}. "
        "Copy or export it again."
    )


def _damaged(name, error):
    return TruncatedFileError(f"'{name}' is cut short or damaged ({error}). Copy or export it again.")


def _decode(data, encoding, limit):
    """Return at most `limit` decoded bytes, and the bytes after the stream."""
    decoder = (isal_zlib or zlib).decompressobj(wbits=_WINDOW_BITS[encoding])
    data = memoryview(data)
    result = memoryview(np.empty(limit, np.uint8))  # numpy's memory, of large pages, is faster than that of bytes
    n = stop = 0
    while stop < len(data) and n < limit and not decoder.eof:
        part = decoder.decompress(data[stop : stop + _STEP], limit - n)
        result[n : n + len(part)] = part
        n += len(part)
        stop += _STEP
    if n < limit and not decoder.eof:
        raise EOFError("the compressed data end too early")
    return result[:n], decoder.unused_data + data[stop:]
