"""Compressed streams are decoded whole, or refused."""

import gzip
import zlib

import pytest

from radiodeep.cases.formats.streams import PADDING, beginning, check_padding, decoded
from radiodeep.exceptions import TruncatedFileError

DATA = bytes(range(256)) * 20
PACKED = {"gzip": gzip.compress(DATA), "zlib": zlib.compress(DATA)}


@pytest.mark.parametrize("encoding", PACKED)
def test_a_stream_of_the_announced_length_is_decoded(encoding):
    assert decoded(PACKED[encoding], encoding, len(DATA), "a") == DATA


@pytest.mark.parametrize("encoding", PACKED)
@pytest.mark.parametrize("n_missing", [1, 4, 9, 100])
def test_a_stream_that_is_cut_short_is_refused(encoding, n_missing):
    with pytest.raises(TruncatedFileError, match="'a' is cut short or damaged"):
        decoded(PACKED[encoding][:-n_missing], encoding, len(DATA), "a")


@pytest.mark.parametrize("encoding", PACKED)
def test_a_stream_shorter_than_announced_is_refused(encoding):
    with pytest.raises(TruncatedFileError, match=f"fewer voxels than its header says: {len(DATA)} bytes, expected"):
        decoded(PACKED[encoding], encoding, len(DATA) + 1, "a")


def test_several_gzip_streams_follow_each_other():
    assert decoded(gzip.compress(DATA[:100]) + gzip.compress(DATA[100:]), "gzip", len(DATA), "a") == DATA


def test_zeros_may_follow_the_data_up_to_a_limit():
    check_padding(bytes(PADDING), 3, "a")
    assert decoded(gzip.compress(DATA + bytes(PADDING)), "gzip", len(DATA), "a") == DATA
    for tail in (bytes(PADDING + 1), b"\0\1"):
        with pytest.raises(TruncatedFileError, match=r"'a' holds more data than its header announces \(3 bytes\)"):
            check_padding(tail, 3, "a")
        with pytest.raises(TruncatedFileError, match="'a' holds more data than its header announces"):
            decoded(gzip.compress(DATA + tail), "gzip", len(DATA), "a")


def test_the_beginning_of_a_stream_needs_no_more_than_that():
    assert beginning(PACKED["gzip"], 348, "a") == DATA[:348]
    assert beginning(PACKED["gzip"], 10**6, "a") == DATA
    with pytest.raises(TruncatedFileError, match="'a' is cut short or damaged"):
        beginning(b"\x1f\x8b" + bytes(50), 348, "a")
