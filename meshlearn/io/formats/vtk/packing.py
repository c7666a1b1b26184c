"""Blocks as VTK's XML files pack them: zlib, LZ4 and LZMA.

Sources: VTK's vtkDataCompressor classes; the LZ4 block format,
https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md.
"""

from __future__ import annotations

import importlib
import lzma
import zlib
from collections.abc import Callable

from meshlearn._memory import check_memory

_MEMORY = 1 << 28  # bytes that the dictionary of an LZMA stream may have


def unpacked(packer: str, pieces: list[bytes], sizes: list[int]) -> bytes:
    """The blocks one after another, each of the size that is promised of it.

    Raises:
        ValueError: one is damaged or has another size, or more is promised than can be.
    """
    ratio, unpack = PACKERS[packer]
    for piece, size in zip(pieces, sizes, strict=True):
        if size > ratio * len(piece) + 1024:
            raise ValueError(f"a DataArray promises more bytes than {packer} can hold")
    check_memory(2 * sum(sizes), "cpu", f"{sum(sizes):,} bytes of a DataArray", argument="array")
    out = []
    for piece, size in zip(pieces, sizes, strict=True):
        found = unpack(piece, size)
        if len(found) != size:
            raise ValueError("a block of a DataArray has not the size it promises")
        out.append(found)
    return b"".join(out)


def _zlib(data: bytes, size: int) -> bytes:
    try:
        stream = zlib.decompressobj()
        return _whole(stream.decompress(data, size + 1), size, stream.eof)
    except zlib.error as error:
        raise ValueError(f"a DataArray is damaged: {error}") from None


def _whole(found: bytes, size: int, ended: bool) -> bytes:
    """What was found, where its packed data came to its end, at which the checksum stands.

    Raises:
        ValueError: all is there but the end.
    """
    if len(found) == size and not ended:
        raise ValueError("a DataArray is damaged: its packed data ends before its checksum")
    return found


def _lzma(data: bytes, size: int) -> bytes:
    try:
        stream = lzma.LZMADecompressor(memlimit=_MEMORY)
        out = bytearray()
        while not stream.eof and len(out) <= size:
            before = len(out)
            out += stream.decompress(data, size + 1 - before)
            data = b""
            if len(out) == before:
                break
        return _whole(bytes(out), size, stream.eof)
    except (lzma.LZMAError, EOFError) as error:
        raise ValueError(f"a DataArray is damaged: {error}") from None


def _lz4(data: bytes, size: int) -> bytes:
    try:  # some thirty times as fast, where it is installed
        library = importlib.import_module("lz4.block")
    except ImportError:
        return lz4_block(data, size)
    try:
        return library.decompress(data, uncompressed_size=size)
    except Exception as error:
        raise ValueError(f"a DataArray is damaged: {str(error)[:100]}") from None


def lz4_block(data: bytes, size: int) -> bytes:
    """The bytes of one LZ4 block, at most `size` of them.

    Raises:
        ValueError: it is damaged, or holds more.
    """
    out, at, end = bytearray(), 0, len(data)
    try:
        while at < end:
            token = data[at]
            at += 1
            count = token >> 4
            if count == 15:
                while (more := data[at]) == 255:
                    count, at = count + 255, at + 1
                count, at = count + more, at + 1
            if at + count > end or len(out) + count > size:
                raise ValueError("a DataArray is damaged: an LZ4 block is longer than it promises")
            out += data[at : at + count]
            at += count
            if at >= end:  # the last sequence has no match
                break
            back = data[at] | data[at + 1] << 8
            at += 2
            count = (token & 15) + 4
            if token & 15 == 15:
                while (more := data[at]) == 255:
                    count, at = count + 255, at + 1
                count, at = count + more, at + 1
            begin = len(out) - back
            if back == 0 or begin < 0 or len(out) + count > size:
                raise ValueError("a DataArray is damaged: a match of an LZ4 block is not there")
            if back >= count:
                out += out[begin : begin + count]
            else:
                piece = bytes(out[begin:])
                out += (piece * (count // back + 1))[:count]
    except IndexError:
        raise ValueError("a DataArray is damaged: an LZ4 block ends too early") from None
    return bytes(out)


# by the name in a file: how much one byte holds at most, and the function
PACKERS: dict[str, tuple[int, Callable[[bytes, int], bytes]]] = {
    "vtkZLibDataCompressor": (1032, _zlib),
    "vtkLZ4DataCompressor": (256, _lz4),
    "vtkLZMADataCompressor": (1 << 16, _lzma),
}
