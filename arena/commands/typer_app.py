"""Typer with the help of this project: commands in a given order, examples, no types."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

Function = TypeVar("Function", bound=Callable[..., Any])

CONTEXT = {"help_option_names": ["-h", "--help"]}


def _set_metavars(parameters: list[Any]) -> list[Any]:
    """Name the values that a parameter takes, where Typer would show a type such as <str>."""
    for parameter in parameters:
        if parameter.param_type_name == "argument":
            parameter.display_type_rich = lambda ctx: None
        if parameter.metavar is not None:
            continue
        descriptor = getattr(parameter, "type_descriptor", None)
        if getattr(parameter, "is_flag", False):
            parameter.metavar = ""
        elif descriptor is not None and descriptor.is_choice:
            choices = "|".join(str(getattr(each, "value", each)) for each in descriptor.choices)
            parameter.metavar = choices
        elif descriptor is not None and descriptor.annotation is Path:
            parameter.metavar = "FILE"
        elif descriptor is not None and descriptor.annotation in (int, float):
            parameter.metavar = "N"
        else:
            parameter.metavar = parameter.name.upper()
    return parameters


class Command(TyperCommand):
    def get_params(self, ctx: Any) -> list[Any]:
        return _set_metavars(super().get_params(ctx))


class Group(TyperGroup):
    order: Sequence[str] = ()

    def get_params(self, ctx: Any) -> list[Any]:
        return _set_metavars(super().get_params(ctx))

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the commands of `order` first, then the others as they were registered."""
        names = super().list_commands(ctx)
        first = [name for name in self.order if name in names]
        return first + [name for name in names if name not in first]


class App(typer.Typer):
    """A `typer.Typer` whose groups and commands are those above."""

    def __init__(
        self, *, help: str, order: Sequence[str] = (), examples: Sequence[str] = (), **options: Any
    ) -> None:
        group = type("OrderedGroup", (Group,), {"order": order})
        super().__init__(
            cls=group,
            help=help,
            epilog=_format_examples(examples),
            no_args_is_help=True,
            context_settings=CONTEXT,
            **options,
        )

    def command(
        self, name: str | None = None, *, examples: Sequence[str] = (), **options: Any
    ) -> Callable[[Function], Function]:
        """Register a command, as `typer.Typer.command` does.

        Args:
            name: of the command; by default that of its function.
            examples: complete command lines, shown at the foot of its help.
            options: those of `typer.Typer.command`.
        """
        return super().command(
            name,
            cls=Command,
            epilog=_format_examples(examples),
            context_settings=CONTEXT | options.pop("context_settings", {}),
            **options,
        )


def _format_examples(examples: Sequence[str]) -> str | None:
    """Return the foot of a help text."""
    if not examples:
        return None
    title = "Example:" if len(examples) == 1 else "Examples:"
    return "\n".join([title, *(f"$ {line}" for line in examples)])
