"""Typer with the help texts of this project: commands in a given order, flags without a type."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

Function = TypeVar("Function", bound=Callable[..., Any])


def _hide_flag_types(parameters: list[Any]) -> list[Any]:
    """Show `--debug` instead of `--debug <bool>`: an empty metavar replaces the type."""
    for parameter in parameters:
        if getattr(parameter, "is_flag", False) and parameter.metavar is None:
            parameter.metavar = ""
    return parameters


class Command(TyperCommand):
    def get_params(self, ctx: Any) -> list[Any]:
        return _hide_flag_types(super().get_params(ctx))


class Group(TyperGroup):
    order: Sequence[str] = ()

    def get_params(self, ctx: Any) -> list[Any]:
        return _hide_flag_types(super().get_params(ctx))

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the commands of `order` first, then the others as they were registered."""
        names = super().list_commands(ctx)
        first = [name for name in self.order if name in names]
        return first + [name for name in names if name not in first]


class App(typer.Typer):
    """A `typer.Typer` whose groups and commands are those above."""

    def __init__(self, *, help: str, order: Sequence[str] = (), **options: Any) -> None:
        group = type("OrderedGroup", (Group,), {"order": order})
        super().__init__(cls=group, help=help, no_args_is_help=True, **options)

    def command(self, name: str | None = None, **options: Any) -> Callable[[Function], Function]:
        """Register a command, as `typer.Typer.command` does."""
        return super().command(name, cls=Command, **options)
