"""The streams of EXT_meshopt_compression and KHR_meshopt_compression: attributes of versions 0 and
1, triangles, indices, and the filters; read here, written by `meshopt_write`.

Source: the bitstream and the filters as the appendices of both extensions describe them. Numbers of
elements come from the file: nothing is made of such a size before as much of the stream was read.
"""

from __future__ import annotations

import numpy as np

NAMES = ("EXT_meshopt_compression", "KHR_meshopt_compression")
_GROUP = 16  # elements whose deltas are stored together
_TAIL = {0: 32, 1: 24}  # least bytes of the tail block, by version
_ENDED = "the stream ends too early"


def _unpacked(bits: int) -> list[bytes]:
    """For each byte, the deltas of so many bits that it stores."""
    if bits == 1:  # from the least significant
        return [bytes(b >> k & 1 for k in range(8)) for b in range(256)]
    top = (1 << bits) - 1
    return [bytes(b >> k & top for k in range(8 - bits, -1, -bits)) for b in range(256)]


_TABLES = {bits: _unpacked(bits) for bits in (1, 2, 4)}
_LENGTHS = {None: (0, 2, 4, 8), 0: (0, 1, 2, 4), 1: (1, 2, 4, 8)}  # bits of a delta, by mode


class _Stream:
    """Bytes that are read one after another, up to the tail."""

    def __init__(self, data: bytes, at: int, end: int) -> None:
        self.data, self.at, self.end = data, at, end

    def take(self, count: int) -> bytes:
        start, self.at = self.at, self.at + count
        if self.at > self.end:
            raise ValueError(_ENDED)
        return self.data[start : self.at]

    def group(self, bits: int) -> bytes:
        """16 deltas of so many bits, those beyond the range as bytes behind them."""
        if bits == 0:
            return bytes(_GROUP)
        if bits == 8:
            return self.take(_GROUP)
        table, most = _TABLES[bits], (1 << bits) - 1
        values = b"".join([table[b] for b in self.take(2 * bits)])
        beyond = values.count(most)
        if not beyond:
            return values
        more, out, k = self.take(beyond), bytearray(values), -1
        for value in more:
            k = values.index(most, k + 1)
            out[k] = value
        return bytes(out)

    def number(self) -> int:
        """A whole number of 7 bits a byte, the lowest first."""
        value = 0
        for shift in range(0, 35, 7):
            if self.at >= self.end:
                raise ValueError(_ENDED)
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value & 0xFFFFFFFF
        raise ValueError("a number of the stream has more than five bytes")


def attributes(data: bytes, count: int, stride: int) -> np.ndarray:
    """(count, stride) uint8 elements of a stream of mode ATTRIBUTES.

    Raises:
        ValueError: no legal stream; what is wrong with it.
    """
    if stride % 4 or not 4 <= stride <= 256:
        raise ValueError(f"expected a stride of 4 to 256 bytes in steps of 4, got {stride}")
    if not data or data[0] not in (0xA0, 0xA1):
        raise ValueError("expected a stream of attributes of version 0 or 1")
    version = data[0] & 15
    channels = bytes(stride // 4)
    tail = stride + (len(channels) if version else 0)
    if len(data) < 1 + max(tail, _TAIL[version]):
        raise ValueError(_ENDED)
    baseline = np.frombuffer(data, np.uint8, stride, len(data) - tail)
    if version:
        channels = data[len(data) - len(channels) :]
    stream = _Stream(data, 1, len(data) - max(tail, _TAIL[version]))
    most = min((8192 // stride) & ~15, 256)
    blocks = []
    for start in range(0, count, most):
        size = min(count - start, most)
        blocks.append(_block(stream, stride, size, version)[:size])
    if stream.at != stream.end:
        raise ValueError("the stream has more bytes than its elements take")
    deltas = np.concatenate(blocks) if blocks else np.zeros((0, stride), np.uint8)
    return _summed(deltas, baseline, channels)


def _block(stream: _Stream, stride: int, size: int, version: int) -> np.ndarray:
    """Stored deltas of so many elements, filled up to groups: (16 groups, stride)."""
    groups = -(-size // _GROUP)
    controls: list[int | None] = [None] * stride
    if version:
        packed = stream.take(stride // 4)
        controls = [packed[k // 4] >> 2 * (k % 4) & 3 for k in range(stride)]
    columns = []
    for control in controls:
        if control == 2:
            columns.append(bytes(_GROUP * groups))
        elif control == 3:
            columns.append(stream.take(size).ljust(_GROUP * groups, b"\0"))
        else:
            head, lengths = stream.take(-(-groups // 4)), _LENGTHS[control]
            modes = [head[g // 4] >> 2 * (g % 4) & 3 for g in range(groups)]
            columns.append(b"".join([stream.group(lengths[mode]) for mode in modes]))
    return np.frombuffer(b"".join(columns), np.uint8).reshape(stride, -1).T


def _unzigzag(values: np.ndarray) -> np.ndarray:
    """Signed differences, in the same unsigned type, of 0, 1, 2 … for 0, -1, 1 …"""
    one = values.dtype.type(1)
    return (values >> one) ^ (~(values & one) + one)


def _summed(deltas: np.ndarray, baseline: np.ndarray, channels: bytes) -> np.ndarray:
    """Elements of deltas, by the kind of each four bytes: differences of bytes or of 16 bits, or
    what bits of 32 change."""
    out = np.empty(deltas.shape, np.uint8)
    kinds = {0: "u1", 1: "<u2", 2: "<u4"}
    for k, channel in enumerate(channels):
        kind, turn = channel & 15, channel >> 4
        if kind not in kinds or (kind < 2 and turn):
            raise ValueError(f"the stream has a channel of the unknown kind {channel}")
        here = slice(4 * k, 4 * k + 4)
        values = np.ascontiguousarray(deltas[:, here]).view(kinds[kind])
        first = baseline[here].copy().view(kinds[kind])
        if kind == 2:
            if turn:
                values = (values >> np.uint32(turn)) | (values << np.uint32(32 - turn))
            found = np.bitwise_xor.accumulate(np.concatenate([first[None], values]))[1:]
        else:
            found = np.add.accumulate(_unzigzag(values), dtype=values.dtype) + first
        out[:, here] = np.ascontiguousarray(found).view(np.uint8).reshape(-1, 4)
    return out


def triangles(data: bytes, count: int) -> np.ndarray:
    """(count,) uint32 indices of a stream of mode TRIANGLES.

    Raises:
        ValueError: no legal stream; what is wrong with it.
    """
    if not data or data[0] != 0xE1:
        raise ValueError("expected a stream of triangles of version 1")
    if count % 3:
        raise ValueError(f"expected three indices for each triangle, got {count}")
    if len(data) < 17 + count // 3:
        raise ValueError(_ENDED)
    aux = data[-16:]
    stream = _Stream(data, 1 + count // 3, len(data) - 16)
    edges: list[tuple[int, int]] = [(0, 0)] * 16  # the newest last
    corners = [0] * 16
    following = last = 0
    out: list[int] = []

    def explicit() -> int:
        nonlocal last
        v = stream.number()
        last = last + (~(v >> 1) if v & 1 else v >> 1) & 0xFFFFFFFF
        return last

    for code in data[1 : 1 + count // 3]:
        high, low = code >> 4, code & 15
        if high < 15:
            a, b = edges[-1 - high]
            if low == 0:
                c, following = following, following + 1
                corners.append(c)
            elif low < 13:
                c = corners[-1 - low]
            else:
                if low == 15:
                    c = explicit()
                else:
                    c = last = last + (1 if low == 14 else -1) & 0xFFFFFFFF
                corners.append(c)
        else:
            table = low < 14
            if table:
                third = aux[low]
            else:
                third = stream.take(1)[0]
                if third == 0:
                    following = 0
            z, w = third >> 4, third & 15
            if low == 15:
                a = explicit()
            else:
                a, following = following, following + 1
            if z == 0:
                b, following = following, following + 1
            else:
                b = corners[-z] if z < 15 or table else explicit()
            if w == 0:
                c, following = following, following + 1
            else:
                c = corners[-w] if w < 15 or table else explicit()
            edges.append((b, a))
            corners.append(a)
            if z in (0, 15):
                corners.append(b)
            if w in (0, 15):
                corners.append(c)
        edges.append((c, b))
        edges.append((a, c))
        out += (a, b, c)
        if len(edges) > 4096:
            del edges[:-16]
            del corners[:-16]
    if stream.at != stream.end:
        raise ValueError("the stream has more bytes than its triangles take")
    return (np.array(out, np.int64) & 0xFFFFFFFF).astype(np.uint32)


def indices(data: bytes, count: int) -> np.ndarray:
    """(count,) uint32 indices of a stream of mode INDICES.

    Raises:
        ValueError: no legal stream; what is wrong with it.
    """
    if not data or data[0] != 0xD1:
        raise ValueError("expected a stream of indices of version 1")
    if len(data) < 5 + count:
        raise ValueError(_ENDED)
    stream, last = _Stream(data, 1, len(data) - 4), [0, 0]
    out = []
    for _ in range(count):
        v = stream.number()
        last[v & 1] += ~(v >> 2) if v & 2 else v >> 2
        out.append(last[v & 1] & 0xFFFFFFFF)
    if stream.at != stream.end:
        raise ValueError("the stream has more bytes than its indices take")
    return np.array(out, np.int64).astype(np.uint32)


# --- filters -----------------------------------------------------------------------------------


def _rounded(values: np.ndarray) -> np.ndarray:
    """To the nearest whole number, halves away from zero."""
    return np.trunc(values + np.copysign(0.5, values))


def _components(values: np.ndarray, what: str) -> np.ndarray:
    """(N, 4) signed components of 8 or 16 bits."""
    if values.shape[1] not in (4, 8):
        raise ValueError(f"expected {what} of 4 or 8 bytes, got {values.shape[1]}")
    return values.view("<i1" if values.shape[1] == 4 else "<i2")


def octahedral(values: np.ndarray) -> np.ndarray:
    """Unit vectors (N, 4) of 8 or 16 bits out of octahedral ones; bytes in and out."""
    given = _components(values, "octahedral vectors")
    out = given.copy()
    with np.errstate(divide="ignore", invalid="ignore"):
        x, y = (given[:, :2].astype(np.float64) / given[:, 2:3]).T
        z = 1 - np.abs(x) - np.abs(y)
        below = np.minimum(z, 0)
        x, y = x - np.copysign(below, x), y - np.copysign(below, y)
        unit = np.stack([x, y, z], 1) / np.sqrt(x * x + y * y + z * z)[:, None]
    top = np.iinfo(given.dtype).max
    out[:, :3] = np.nan_to_num(_rounded(unit * top)).clip(-top, top)
    return out.view(np.uint8)


def quaternion(values: np.ndarray) -> np.ndarray:
    """Unit quaternions (N, 4) of 16 bits out of their three smallest components; bytes in and
    out."""
    if values.shape[1] != 8:
        raise ValueError(f"expected quaternions of 8 bytes, got {values.shape[1]}")
    given = values.view("<i2")
    one, largest = (given[:, 3] | 3).astype(np.float64), given[:, 3] & 3
    with np.errstate(divide="ignore", invalid="ignore"):
        small = np.nan_to_num(given[:, :3] / one[:, None] / np.sqrt(2)).clip(-1, 1)
    w = np.sqrt(np.maximum(0, 1 - (small**2).sum(1)))
    found = _rounded(np.column_stack([w, small]) * 32767)
    out, rows = np.empty(given.shape, "<i2"), np.arange(len(given))
    for k in range(4):
        out[rows, (largest + k) % 4] = found[:, k]
    return out.view(np.uint8)


def exponential(values: np.ndarray) -> np.ndarray:
    """Floats out of a mantissa of 24 bits and an exponent of 8; bytes in and out."""
    given = np.ascontiguousarray(values).view("<i4")
    with np.errstate(over="ignore", under="ignore"):
        found = np.ldexp(((given << 8) >> 8).astype(np.float64), given >> 24)
        return np.ascontiguousarray(found.astype("<f4")).view(np.uint8)


def color(values: np.ndarray) -> np.ndarray:
    """Red, green, blue, alpha of 8 or 16 bits out of luma and two differences; bytes in and out."""
    given = _components(values, "colours")
    unsigned = given.view(given.dtype.str.replace("i", "u"))
    y, alpha = unsigned[:, 0].astype(np.int64), unsigned[:, 3].astype(np.int64)
    co, cg = given[:, 1].astype(np.int64), given[:, 2].astype(np.int64)
    _, bits = np.frexp(alpha.astype(np.float64))  # one more than the place of the highest bit
    whole = (1 << bits.astype(np.int64)) - 1
    a = alpha & (whole >> 1)
    parts = np.stack([y + co - cg, y + cg, y - co - cg, (a << 1) | (a & 1)], 1)
    top = np.iinfo(unsigned.dtype).max
    found = _rounded(parts * (top / np.maximum(whole, 1))[:, None]).clip(0, top)
    return found.astype(unsigned.dtype).view(np.uint8)


FILTERS = {
    "OCTAHEDRAL": octahedral,
    "QUATERNION": quaternion,
    "EXPONENTIAL": exponential,
    "COLOR": color,
}


def decoded(data: bytes, *, mode: str, filter: str, count: int, stride: int) -> bytes:
    """The bytes of a compressed view.

    Raises:
        ValueError: what is wrong with it.
    """
    if mode == "ATTRIBUTES":
        values = attributes(data, count, stride)
        if filter != "NONE":
            if filter not in FILTERS:
                raise ValueError(f"the filter {filter!r} is not known")
            values = FILTERS[filter](values)
        return values.tobytes()
    if mode not in ("TRIANGLES", "INDICES") or filter != "NONE":
        raise ValueError(f"the mode {mode!r} with the filter {filter!r} is not known")
    if stride not in (2, 4):
        raise ValueError(f"expected indices of 2 or 4 bytes, got {stride}")
    found = triangles(data, count) if mode == "TRIANGLES" else indices(data, count)
    return found.astype("<u2" if stride == 2 else "<u4").tobytes()
