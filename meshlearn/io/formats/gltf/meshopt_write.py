"""Streams of EXT_meshopt_compression: attributes of version 0, triangles and indices, nothing
rounded; `meshopt` reads them."""

from __future__ import annotations

import numpy as np

from meshlearn.io.formats.gltf.meshopt import _GROUP, _TAIL

_EXPLICIT = 15


def attributes(values: np.ndarray) -> bytes:
    """The stream of elements (N, stride) uint8, stride a multiple of 4 up to 256."""
    count, stride = values.shape
    baseline = values[0] if count else np.zeros(stride, np.uint8)
    before = np.concatenate([baseline[None], values])[:-1] if count else values
    steps = values - before
    stored = np.where(steps & 128, ~(steps << 1), steps << 1).astype(np.uint8)  # zigzag
    out = [b"\xa0"]
    most = min((8192 // stride) & ~15, 256)
    for start in range(0, count, most):
        block = stored[start : start + most]
        block = np.concatenate([block, np.zeros((-len(block) % _GROUP, stride), np.uint8)])
        out += _block(np.ascontiguousarray(block.T).reshape(stride, -1, _GROUP))
    tail = baseline.tobytes()
    out.append(b"\0" * max(0, _TAIL[0] - len(tail)) + tail)
    return b"".join(out)


def _block(deltas: np.ndarray) -> list[bytes]:
    """The bytes of deltas (stride, groups, 16)."""
    groups = deltas.shape[1]
    two = _packed(np.minimum(deltas, 3), 2)
    four = _packed(np.minimum(deltas, 15), 4)
    beyond = [(deltas >= top).sum(2) for top in (3, 15)]
    sizes = np.stack([4 + beyond[0], 8 + beyond[1], np.full_like(beyond[0], 16)])
    modes = np.where(deltas.any(2), 1 + sizes.argmin(0), 0)
    head = np.zeros((len(deltas), -(-groups // 4) * 4), np.int64)
    head[:, :groups] = modes
    heads = (head.reshape(len(deltas), -1, 4) << np.array([0, 2, 4, 6])).sum(2).astype(np.uint8)
    out = []
    for k, column in enumerate(deltas):
        out.append(heads[k].tobytes())
        for g, mode in enumerate(modes[k].tolist()):
            group = column[g]
            if mode == 3:
                out.append(group.tobytes())
            elif mode:
                packed, top = (two, 3) if mode == 1 else (four, 15)
                out.append(packed[k, g].tobytes() + group[group >= top].tobytes())
    return out


def _packed(values: np.ndarray, bits: int) -> np.ndarray:
    """Values (..., 16) of so many bits, from the most significant of each byte."""
    each = 8 // bits
    shifts = np.arange(8 - bits, -1, -bits)
    parts = values.reshape(*values.shape[:-1], -1, each).astype(np.int64) << shifts
    return parts.sum(-1).astype(np.uint8)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def triangles(faces: np.ndarray) -> bytes:
    """The stream of triangles (F, 3), which may come back with another corner first."""
    edges: list[tuple[int, int]] = [(-1, -1)] * 15
    corners: list[int] = [-1] * 16
    following = last = 0
    codes, data = bytearray(), bytearray()

    def explicit(index: int) -> None:
        nonlocal last
        step = index - last
        data.extend(_varint((step << 1 if step >= 0 else ~(step << 1)) & 0xFFFFFFFF))
        last = index

    for triangle in faces.tolist():
        a, b, c = triangle
        high, recent = -1, edges[:-16:-1]
        for _ in range(3):
            if (a, b) in recent:
                high = recent.index((a, b))
                break
            a, b, c = b, c, a
        if high >= 0:
            recent_corners = corners[-2:-14:-1]  # those at 1 to 12
            if c == following:
                low, following = 0, following + 1
            elif c in recent_corners:
                low = 1 + recent_corners.index(c)
            elif c in (last - 1, last + 1):
                low, last = 13 + (c > last), c
            else:
                low = 15
                explicit(c)
            codes.append(high << 4 | low)
            if low == 0 or low > 12:
                corners.append(c)
        else:
            a, b, c = triangle
            if b == following:  # a new vertex first: a stream has a meaning of its own for none
                a, b, c = b, c, a
            elif c == following and a != following:
                a, b, c = c, a, b
            if (a, b, c) == (following, following + 1, following + 2):
                codes.append(0xF0)
                following += 3
                corners += (a, b, c)
            else:
                at, old = len(data), corners[-1:-15:-1]
                data.append(0)
                if a == following:
                    codes.append(0xFE)
                    following += 1
                else:
                    codes.append(0xFF)
                    explicit(a)
                corners.append(a)
                for shift, other in ((4, b), (0, c)):
                    if other == following:
                        following += 1
                        corners.append(other)
                    elif other in old:
                        data[at] |= 1 + old.index(other) << shift
                    else:
                        data[at] |= _EXPLICIT << shift
                        explicit(other)
                        corners.append(other)
            edges.append((b, a))
        edges.append((c, b))
        edges.append((a, c))
        if len(edges) > 4096:
            del edges[:-16]
            del corners[:-16]
    return b"\xe1" + bytes(codes) + bytes(data) + bytes(16)


def indices(values: np.ndarray) -> bytes:
    """The stream of indices (N,), in their order."""
    steps = np.diff(values.astype(np.int64), prepend=0)
    out = [_varint(((~(2 * s) if s < 0 else 2 * s) << 1) & 0xFFFFFFFF) for s in steps.tolist()]
    return b"\xd1" + b"".join(out) + bytes(4)
