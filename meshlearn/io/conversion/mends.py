"""What a user can do about a loss: the options of `convert` that make it one's own choice."""

from __future__ import annotations

from collections.abc import Iterable

from meshlearn.io.left_behind import Loss, LossKind

_PLAIN = {
    LossKind.PRECISION: ("--precision float32", "--precision float32 rounds them knowingly"),
    LossKind.POLYGONS: ("--triangulate", "--triangulate cuts them knowingly"),
    LossKind.LARGE_POLYGONS: ("--triangulate", "--triangulate cuts them knowingly"),
}


def option_of(loss: Loss) -> str:
    """The option that makes a loss none, such as "--up y"; empty where there is none."""
    if loss.kind in _PLAIN:
        return _PLAIN[loss.kind][0]
    word = {LossKind.UP_AXIS: "--up", LossKind.UP_AXIS_UNSAID: "--up"}.get(loss.kind)
    word = word or {LossKind.UNIT: "--unit", LossKind.UNIT_UNSAID: "--unit"}.get(loss.kind)
    value = loss.instead or loss.name
    return f"{word} {value}" if word and value and " " not in value else ""


def mend_of(loss: Loss) -> str:
    """What to do about a loss, in words; empty where there is nothing."""
    option = option_of(loss)
    if not option:
        return ""
    if loss.kind in _PLAIN:
        return _PLAIN[loss.kind][1]
    if loss.kind is LossKind.UP_AXIS:
        return f"{option} turns it"
    if loss.kind is LossKind.UNIT:
        return f"{option} converts it"
    if loss.kind is LossKind.UP_AXIS_UNSAID:
        other = "z" if loss.name != "z" else "y"
        return f"{option} keeps it, --up {other} turns it"
    other = "mm" if loss.name != "mm" else "m"
    return f"{option} keeps the numbers, --unit {other} converts them"


def refusal(losses: Iterable[Loss]) -> str:
    """The end of a refusal, which names the options that take losses away, if there are any."""
    options = dict.fromkeys(filter(None, map(option_of, losses)))
    return f"; {' '.join(options)} makes this your choice" if options else ""
