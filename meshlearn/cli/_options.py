"""Options of verbs in groups: a dataclass whose fields are options, which verbs can share."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any, get_type_hints


def grouped_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """A verb as the command line sees it: each parameter whose type is a dataclass is replaced by
    an option for each of its fields, with the field's annotation and default.

    Example:
        >>> @dataclass
        ... class Sampling:
        ...     seed: Annotated[int, typer.Option(help="Same seed, same result.")] = 0
        >>> @command("sample")
        ... def sample(out: Out, sampling: Sampling) -> None: ...
    """
    hints = get_type_hints(function, include_extras=True)
    groups: dict[str, type] = {}
    seen: list[inspect.Parameter] = []
    for parameter in inspect.signature(function).parameters.values():
        kind = hints.get(parameter.name, parameter.annotation)
        if isinstance(kind, type) and dataclasses.is_dataclass(kind):
            groups[parameter.name] = kind
            seen.extend(_options(kind))
        else:
            seen.append(_keyword(parameter.name, parameter.default, kind))
    if not groups:
        return function

    @functools.wraps(function)
    def run(**given: Any) -> Any:
        for name, kind in groups.items():
            fields = [field.name for field in dataclasses.fields(kind)]
            given[name] = kind(**{field: given.pop(field) for field in fields})
        return function(**given)

    run.__annotations__ = {parameter.name: parameter.annotation for parameter in seen}
    run.__signature__ = inspect.Signature(seen)  # type: ignore[attr-defined]
    return run


def _options(kind: type) -> list[inspect.Parameter]:
    hints = get_type_hints(kind, include_extras=True)
    found = []
    for field in dataclasses.fields(kind):
        missing = field.default is dataclasses.MISSING
        default = inspect.Parameter.empty if missing else field.default
        found.append(_keyword(field.name, default, hints[field.name]))
    return found


def _keyword(name: str, default: object, kind: object) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
