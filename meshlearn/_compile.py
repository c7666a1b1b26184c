"""What public operators do inside `torch.compile` and `torch.func`.

Their work is compiled already, and branches on values of tensors, which a graph cannot hold: a
compiled function calls them as they are, at a break of its graph, and they cost what they cost
outside. `torch.func` transforms have no rule for them, which is said in a sentence.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import torch

F = TypeVar("F", bound=Callable[..., Any])
_WHY = "operators of meshlearn are compiled already and run between the graphs"


def eager(operator: F) -> F:
    """A public operator that `torch.compile` calls and does not look into.

    Example:
        >>> compiled = torch.compile(lambda sdf: ml.marching_cubes(grid, sdf).area())
    """
    name = operator.__name__
    kept: list[Callable[..., Any]] = []

    @functools.wraps(operator)
    def called(*args: Any, **kwargs: Any) -> Any:
        if _transformed():
            raise RuntimeError(
                f"{name}: torch.func transforms (grad, vmap, jvp …) have no rule for it; use "
                "torch.autograd.grad for gradients, and a loop over a batch"
            )
        if not _compiling():
            return operator(*args, **kwargs)
        if not kept:
            kept.append(torch.compiler.disable(operator, reason=_WHY))
        return kept[0](*args, **kwargs)

    called._torchdynamo_disable = True  # type: ignore[attr-defined]  # what `disable` leaves
    called._torchdynamo_disable_msg = _WHY  # type: ignore[attr-defined]
    return called  # type: ignore[return-value]


def _transformed() -> bool:
    """Whether a torch.func transform is at work."""
    stack = getattr(torch._C._functorch, "peek_interpreter_stack", None)
    return stack is not None and stack() is not None


def _compiling() -> bool:
    """Whether a function that `torch.compile` made may be the caller."""
    if torch.compiler.is_dynamo_compiling():
        return True
    # seconds to import, and nothing is compiled before something has imported it
    if "torch._dynamo" not in sys.modules:
        return False
    callback = getattr(torch._C._dynamo.eval_frame, "get_eval_frame_callback", None)
    return callback is None or callback() is not None
