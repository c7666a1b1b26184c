"""Signs carried along a spanning forest."""

from __future__ import annotations


def carried_signs(pairs: list[list[int]], count: int) -> tuple[list[int], list[int]]:
    """Spanning forest of (a, b, flipped) in the given order: sign and part of each point."""
    parent, parity = list(range(count)), [0] * count

    def root(at: int) -> tuple[int, int]:
        path, odd = [], 0
        while parent[at] != at:
            path.append(at)
            at = parent[at]
        for node in reversed(path):
            odd ^= parity[node]
            parent[node], parity[node] = at, odd
        return at, odd

    for a, b, flipped in pairs:
        (ra, pa), (rb, pb) = root(a), root(b)
        if ra != rb:
            parent[rb], parity[rb] = ra, pa ^ pb ^ flipped
    found = [root(at) for at in range(count)]
    return [1 - 2 * odd for _, odd in found], [at for at, _ in found]
