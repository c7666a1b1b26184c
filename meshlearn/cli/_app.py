"""The typer application, and what turns an exception into one line and an exit code."""

from __future__ import annotations

import functools
import os
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, NoReturn, TextIO

import typer

from meshlearn._memory import is_out_of_memory
from meshlearn.cli._options import grouped_options


@dataclass
class State:
    """What the whole command line shares."""

    debug: bool = os.environ.get("MESHLEARN_DEBUG") == "1"


state = State()
app = typer.Typer(
    name="meshlearn",
    help="Learn, fit and convert 3D meshes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        from meshlearn import __version__

        typer.echo(f"meshlearn {__version__}")
        raise typer.Exit()


@app.callback()
def _global(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks; may stand anywhere on the line.")
    ] = False,
) -> None:
    state.debug |= debug


def message(text: str) -> None:
    """One line on stderr."""
    typer.echo(text, err=True)


def fail(text: str, code: int = 1) -> NoReturn:
    """One line on stderr, and the exit code."""
    message(f"error: {text}")
    raise SystemExit(code)


def _explain(error: BaseException) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, OSError) and error.strerror:
        names = [str(n) for n in (error.filename, error.filename2) if n is not None]
        return ": ".join([*names, error.strerror[:1].lower() + error.strerror[1:]])
    if is_out_of_memory(error):
        return f"not enough memory: {text or 'lower the resolution'}"
    if isinstance(error, ValueError | OSError | NotImplementedError):
        return text
    if isinstance(error, ImportError):
        return text
    return f"{type(error).__name__}: {text} (rerun with --debug to see where)"


def command(*names: str, group: typer.Typer | None = None) -> Callable[[Callable], Callable]:
    """Registers a verb, of `group` if given, whose errors become one line on stderr and exit 1.

    A parameter whose type is a dataclass stands for the options that its fields are, see
    `grouped_options`.
    """

    def register(function: Callable) -> Callable:
        verb = grouped_options(function)

        @functools.wraps(verb)
        def run(*args: object, **kwargs: object) -> None:
            with warnings.catch_warnings():
                if not state.debug:
                    warnings.showwarning = _show_warning
                try:
                    verb(*args, **kwargs)
                    sys.stdout.flush()
                except BrokenPipeError:  # the reader (head, less) closed: nothing to say
                    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                    raise SystemExit(0) from None
                except KeyboardInterrupt as stop:
                    if state.debug:
                        raise
                    message(f"interrupted{f'; {stop}' if str(stop) else ''}")
                    raise SystemExit(130) from None
                except (typer.Exit, typer.Abort, typer.BadParameter):
                    raise  # wrong usage, or the verb has told all
                except Exception as error:
                    if state.debug:
                        raise
                    fail(_explain(error))

        for name in names:
            (group or app).command(name)(run)
        return function

    return register


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """As `warnings.showwarning`, in one line."""
    typer.echo(f"warning: {' '.join(str(message).split())}", err=True)


def choice(*values: str, help: str) -> object:
    """An option that takes one of `values`; anything else is wrong usage (exit 2)."""

    def check(value: str) -> str:
        if value not in values:
            raise typer.BadParameter(f"expected one of {', '.join(values)}, got {value!r}")
        return value

    return typer.Option(metavar="|".join(values), callback=check, help=help)


JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on stdout.")]
OverwriteFlag = Annotated[bool, typer.Option("--overwrite", help="Replace OUT if it exists.")]
