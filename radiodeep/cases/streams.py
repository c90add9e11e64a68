"""In: the bytes of a file. Out: the decoded bytes with verified checksums, never more than the header announces."""

import gzip
import io
import zlib

from radiodeep.exceptions import TruncatedFileError

try:
    from isal import isal_zlib  # decodes gzip three times as fast as zlib; not every platform has a wheel
except ImportError:
    isal_zlib = None

GZIP = b"\x1f\x8b"
PADDING = 4096  # zero bytes that may follow the voxels; more bytes, or others, contradict the header
_ERRORS = (EOFError, OSError, ValueError, zlib.error, *([] if isal_zlib is None else [isal_zlib.error]))
_WINDOW_BITS = {"gzip": 31, "zlib": 15}


def decoded(data, encoding, n_bytes, name):
    """Decode a compressed stream of known length.

    Parameters
    ----------
    data : bytes
    encoding : {"gzip", "zlib"}
    n_bytes : int
        Length that the header announces. Decoding stops soon after it, however long the stream is.
    name : str
        Of the file, for messages.

    Returns
    -------
    bytes
        `n_bytes` of them.

    Raises
    ------
    TruncatedFileError
        The stream is cut short, fails its checksum, or holds more than `n_bytes` and a few zeros.

    Examples
    --------
    >>> import gzip
    >>> from radiodeep.cases.streams import decoded
    >>> decoded(gzip.compress(b"voxels"), "gzip", 6, "a.nrrd")
    b'voxels'
    >>> decoded(gzip.compress(b"voxels" * 9), "gzip", 6, "a.nrrd")
    Traceback (most recent call last):
    ...
    radiodeep.exceptions.TruncatedFileError: 'a.nrrd' holds more data than its header announces (6 bytes), ...
    """
    limit = n_bytes + PADDING + 1
    try:
        result, rest = _decode(data, encoding, limit)
        if rest.lstrip(b"\0") and encoding == "gzip":  # several streams in one file
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
                result, rest = file.read(limit), b""
    except _ERRORS as error:
        raise damaged(name, error) from error
    if len(result) < n_bytes:
        raise TruncatedFileError(
            f"'{name}' holds fewer voxels than its header says: {len(result)} bytes, expected {n_bytes}. "
            "Copy or export it again."
        )
    check_padding(result[n_bytes:], n_bytes, name)
    check_padding(rest, n_bytes, name)
    return result[:n_bytes]  # no copy if there is no padding


def beginning(data, n_bytes, name):
    """Decode the first `n_bytes` of a gzip stream, or fewer if it is shorter."""
    try:
        # By zlib, which stops there; isal would decode all of its input first.
        return zlib.decompressobj(_WINDOW_BITS["gzip"]).decompress(data[: 64 * n_bytes], n_bytes)
    except _ERRORS as error:
        raise damaged(name, error) from error


def check_padding(tail, n_bytes, name):
    """Raise `TruncatedFileError` unless the voxels are followed by at most a few zeros."""
    if len(tail) > PADDING or any(tail):
        raise TruncatedFileError(
            f"'{name}' holds more data than its header announces ({n_bytes} bytes), so one of them is wrong. "
            "Export it again."
        )


def damaged(name, error):
    """Return the error for a stream that cannot be decoded."""
    return TruncatedFileError(f"'{name}' is cut short or damaged ({error}). Copy or export it again.")


def _decoder(encoding):
    return (isal_zlib or zlib).decompressobj(wbits=_WINDOW_BITS[encoding])


def _decode(data, encoding, limit):
    """Return at most `limit` decoded bytes, and the bytes after the stream."""
    decoder = _decoder(encoding)
    result = decoder.decompress(data, limit)
    if len(result) < limit and not decoder.eof:
        raise EOFError("the compressed data end too early")
    return result, decoder.unused_data
