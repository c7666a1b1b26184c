"""What public operators do inside `torch.compile` and `torch.func`, and under second derivatives.

Their work is compiled already, and branches on values of tensors, which a graph cannot hold: a
compiled function calls them as they are, at a break of its graph, and they cost what they cost
outside. `torch.func` transforms have no rule for them, and neither have most of their gradients
where they are differentiated again: each is said in a sentence, and nothing is silently zero.
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


def once(name: str) -> Callable[[F], F]:
    """Makes of a backward one whose gradients refuse to be differentiated again.

    Without it a compiled gradient has no graph, and what a penalty on it asks for is silently zero.

    Args:
        name: of the operator, as its user knows it.
    """

    def around(backward: F) -> F:
        @functools.wraps(backward)
        def called(ctx: Any, *grads: Any) -> Any:
            again = torch.is_grad_enabled()
            with torch.no_grad():
                found = backward(ctx, *grads)
            if not again:
                return found
            several = isinstance(found, tuple)
            given = [*grads, *ctx.saved_tensors]
            flat = [t for one in given for t in (one if isinstance(one, (list, tuple)) else [one])]
            sources = [t for t in flat if isinstance(t, torch.Tensor) and t.requires_grad]
            made = tuple(
                g if g is None or not sources else _Once.apply(name, g, *sources)
                for g in (found if several else (found,))
            )
            return made if several else made[0]

        return called  # type: ignore[return-value]

    return around


class _Once(torch.autograd.Function):
    """A gradient, joined to what it was made of by a rule that raises."""

    @staticmethod
    def forward(ctx: Any, name: str, gradient: torch.Tensor, *_sources: torch.Tensor):
        ctx.name = name
        return gradient.view_as(gradient)

    @staticmethod
    def backward(ctx: Any, *_grads: torch.Tensor):
        raise RuntimeError(
            f"{ctx.name}: its gradient cannot be differentiated again; make that gradient without "
            "create_graph=True, or take a term of gradients on a field or on signed_distance, "
            "where it can be"
        )
