"""Which label of a segmentation is which part of the heart, by what surrounds what.

Data sets number the parts differently: ACDC has the RV 1, the muscle 2 and the LV 3, others the LV
1, the muscle 2 and the RV 3 or 4. On short-axis slices the muscle stands all around the cavity of
the LV and on one side of the RV's, which tells them apart whatever their numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

PARTS = ("lv", "myo", "rv")
NAMES = {"lv": "LV", "myo": "myocardium", "rv": "RV"}
BACKGROUND = 0
MOST_LABELS = 32  # values that a file of labels has; more are the grey values of an image
SURROUNDED = 0.5  # of a cavity's pixels with muscle on all four sides, to be the LV's; by hand
CLEARLY = 2.0  # times as much as the next candidate; by hand
LEAST_RV = 0.05  # of the LV's voxels, a smaller part is no RV (atria, a scar); by hand
RV_BESIDE = 0.03  # of an RV's border that lies on the muscle, at least; by hand
RV_WITHIN = 0.7  # of its border on muscle and LV, at most: more lies within the wall; by hand
RV_ON_LV = 0.15  # of its border on the LV, at most: they meet at the base alone; by hand

Values = dict[str, tuple[int, ...]]


def label_values(told: Mapping[str, int | Sequence[int] | None]) -> Values:
    """What a caller says of labels, checked: part -> its values, none for a part that is absent.

    Raises:
        ValueError: unknown parts, the LV without a value, one value for two parts.
    """
    unknown = sorted(set(told) - set(PARTS))
    if unknown:
        raise ValueError(f"labels: expected some of lv, myo and rv, got {unknown[0]!r}")
    found: Values = {}
    for name, value in told.items():
        given = () if value is None else (value,) if isinstance(value, int) else tuple(value)
        found[name] = tuple(int(v) for v in given)
        if BACKGROUND in found[name]:
            raise ValueError(f"labels: {name} is {BACKGROUND}, which is the background")
    if found.get("lv") == ():
        raise ValueError("labels: the LV has no value; a heart cannot be fitted without it")
    taken = [v for values in found.values() for v in values]
    twice = sorted({v for v in taken if taken.count(v) > 1})
    if twice:
        raise ValueError(f"labels: {twice[0]} stands for two parts; give each part its own")
    return found


def parse_labels(text: str) -> Values:
    """`label_values` of what is typed, such as "lv=3,myo=2+4,rv=1" or "lv=1,myo=2,rv=none"."""
    told: dict[str, tuple[int, ...] | None] = {}
    for item in text.replace(" ", "").split(","):
        name, equals, values = item.lower().partition("=")
        try:
            if not equals or name in told:
                raise ValueError
            none = values in ("none", "")
            told[name] = None if none else tuple(int(v) for v in values.split("+"))
        except ValueError:
            raise ValueError(
                f"labels: expected such as lv=3,myo=2,rv=1 (2+4 for a part of two values, none "
                f"for one that is absent), got {text!r}"
            ) from None
    return label_values(told)


def find_parts(stack: np.ndarray, told: Values, source: str) -> tuple[Values, str]:
    """The values of LV, muscle and RV in a stack of slices (S, R, C) of labels.

    Args:
        told: values that are known, see `label_values`; the others are found.
        source: where the stack came from, for messages.

    Returns:
        The values of each part, and a sentence for the reader where something was found or is odd,
        else "".

    Raises:
        ValueError: a value that no voxel has, or parts that cannot be told.
    """
    counts = dict(zip(*(a.tolist() for a in np.unique(stack, return_counts=True)), strict=True))
    size = {v: n for v, n in counts.items() if v != BACKGROUND}
    listed = ", ".join(map(str, sorted(counts)))
    for name, given in told.items():
        if given and not any(v in size for v in given):
            what = "+".join(map(str, given))
            raise ValueError(
                f"{source}: no voxel is {what} (the {NAMES[name]}), the labels are {listed}"
            )
    advice = "say which is which, such as labels lv=3,myo=2,rv=1"
    if not size:
        raise ValueError(f"{source}: all voxels are {listed}; a segmentation has labelled parts")
    if set(told) == set(PARTS):
        return told, _contradiction(stack, told, source)
    values = sorted(size)
    levels = sorted([BACKGROUND, *values])
    table = {v: i for i, v in enumerate(levels)}
    index = np.searchsorted(levels, _cropped(stack))
    border = _borders(index, len(table))
    parts = {name: tuple(v for v in told[name] if v in size) for name in told}
    if "lv" not in parts or "myo" not in parts:
        parts |= _cavity(index, table, parts, source, advice)
    if "rv" not in parts:
        rest = [v for v in values if v not in parts["lv"] + parts["myo"]]
        parts["rv"] = _right(border, table, size, parts, rest, source, advice)
    left = [v for v in values if not any(v in p for p in parts.values())]
    named = ", ".join(
        f"{NAMES[n]} {'+'.join(map(str, parts[n])) if parts[n] else 'absent'}" for n in PARTS
    )
    text = f"{source}: labels taken by anatomy as {named}"
    if left:
        text += f"; {', '.join(map(str, left))} passed over"
    return parts, f"{text}; give the labels if they mean something else"


def canonical(values: np.ndarray, parts: Values) -> np.ndarray:
    """Labels with the LV 1, the muscle 2, the RV 3 and anything else 0."""
    made = np.zeros(values.shape, dtype=np.int8)
    for number, name in enumerate(PARTS, 1):
        made[np.isin(values, parts[name])] = number
    return made


def surrounded(cavity: np.ndarray, wall: np.ndarray) -> float:
    """Share of a cavity's pixels (S, R, C) bool that have wall on all four sides, on their row and
    on their column; 0 for an empty one."""
    inside = cavity.copy()
    for axis in (1, 2):
        for flip in (False, True):
            seen = np.flip(wall, axis) if flip else wall
            seen = np.logical_or.accumulate(seen, axis=axis)
            inside &= np.flip(seen, axis) if flip else seen
    return float(inside.sum() / max(int(cavity.sum()), 1))


def _cropped(stack: np.ndarray) -> np.ndarray:
    where = np.argwhere(stack != BACKGROUND)
    low, high = where.min(0), where.max(0) + 1
    return np.pad(stack[tuple(slice(a, b) for a, b in zip(low, high, strict=True))], 1)


def _borders(index: np.ndarray, count: int) -> np.ndarray:
    """How many pixel sides of each slice have label i on one side and j on the other, (N, N)."""
    found = np.zeros((count, count), dtype=np.int64)
    for axis in (1, 2):
        a = np.moveaxis(index, axis, 0)
        pair = (a[:-1] * count + a[1:]).ravel()
        found += np.bincount(pair, minlength=count * count).reshape(count, count)
    found = found + found.T
    np.fill_diagonal(found, 0)
    return found


def _cavity(
    index: np.ndarray, table: Mapping[int, int], parts: Values, source: str, advice: str
) -> Values:
    """LV and muscle: the one label that another one surrounds."""
    known = [v for p in parts.values() for v in p]
    values = [v for v in table if v != BACKGROUND]

    def mask(chosen: Sequence[int]) -> np.ndarray:
        return np.isin(index, [table[v] for v in chosen])

    free: list[tuple[int, ...]] = [(v,) for v in values if v not in known]
    insides = [parts["lv"]] if "lv" in parts else free
    walls = [parts["myo"]] if "myo" in parts else free
    if "lv" in parts and not walls:
        return {"myo": ()}
    scores = sorted(
        ((surrounded(mask(c), mask(m)), c, m) for c in insides for m in walls if c != m),
        key=lambda s: s[0],
        reverse=True,
    )
    names = ", ".join(map(str, values))
    if not scores or scores[0][0] < SURROUNDED:
        raise ValueError(
            f"{source}: cannot tell the parts of the heart, no label of {names} is surrounded by "
            f"another as the LV is by its muscle; {advice}"
        )
    best, cavity, wall = scores[0]
    for other, c, m in scores[1:]:
        if (c, m) != (cavity, wall) and other > best / CLEARLY:
            raise ValueError(
                f"{source}: cannot tell the parts of the heart, label {c[0]} is surrounded by "
                f"{m[0]} as {cavity[0]} is by {wall[0]}; {advice}"
            )
    return {"lv": cavity, "myo": wall}


def _right(
    border: np.ndarray,
    table: Mapping[int, int],
    size: Mapping[int, int],
    parts: Values,
    rest: list[int],
    source: str,
    advice: str,
) -> tuple[int, ...]:
    """The RV among the other labels: beside the muscle and not within it; none of no labels."""
    if not rest:
        return ()
    if not parts["myo"]:
        raise ValueError(
            f"{source}: cannot tell whether {', '.join(map(str, rest))} is the RV without a "
            f"muscle between; {advice}, or rv=none"
        )
    on = {n: [table[v] for v in parts[n]] for n in ("lv", "myo")}
    whole = sum(size[v] for v in parts["lv"])
    fits: dict[int, float] = {}
    for v in rest:
        row = border[table[v]]
        total = max(int(row.sum()), 1)
        wall, lv = (float(row[on[n]].sum()) / total for n in ("myo", "lv"))
        if wall + lv > RV_WITHIN:
            raise ValueError(
                f"{source}: label {v} lies within the muscle {parts['myo'][0]} or the LV "
                f"{parts['lv'][0]}; {advice}, with such as myo={parts['myo'][0]}+{v} if it is a "
                "part of it"
            )
        if size[v] >= LEAST_RV * whole and wall >= RV_BESIDE and lv <= RV_ON_LV:
            fits[v] = float(row[on["myo"]].sum())
    order = sorted(fits, key=fits.__getitem__, reverse=True)
    if not order or (len(order) > 1 and fits[order[1]] > fits[order[0]] / CLEARLY):
        which = "none" if not order else "more than one"
        raise ValueError(
            f"{source}: cannot tell the RV, {which} of the labels {', '.join(map(str, rest))} lies "
            f"beside the muscle as it does; {advice}, or rv=none"
        )
    return (order[0],)


def _contradiction(stack: np.ndarray, told: Values, source: str) -> str:
    """A sentence if the labels that were told mean that muscle surrounds the RV, not the LV."""
    if not told["myo"] or not told["rv"]:
        return ""
    lv, wall, rv = (np.isin(stack, told[n]) for n in PARTS)
    here, there = surrounded(lv, wall), surrounded(rv, wall)
    if there < SURROUNDED or here > there / CLEARLY:
        return ""
    return (
        f"{source}: by the labels that were given the muscle surrounds the RV, not the LV; are "
        f"LV {told['lv'][0]} and RV {told['rv'][0]} swapped?"
    )
