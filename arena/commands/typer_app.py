"""Typer with the help of this project: commands in a given order, examples, no types.

The help is plain text, with bold headings on a terminal: Typer's other style has to load Rich's
readers of Markdown and of source code, which takes longer than everything else together.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

Function = TypeVar("Function", bound=Callable[..., Any])

WITHOUT_BRACES = str.maketrans("", "", "{}")
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def _set_metavars(parameters: list[Any]) -> list[Any]:
    """Name the values that a parameter takes, where Typer would show a type such as <str>."""
    for parameter in parameters:
        if getattr(parameter, "is_flag", False) and parameter.default is None:
            parameter.default = False  # Typer loads pydantic to convert the None of its own flags
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

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return arguments as `NAME`, `[NAME]` or `NAME...`, where Typer writes `{NAME}`."""
        return [piece.translate(WITHOUT_BRACES) for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        _write_options(self.get_params(ctx), ctx, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        _write_examples(self.epilog, formatter)


class Group(TyperGroup):
    order: Sequence[str] = ()

    def get_params(self, ctx: Any) -> list[Any]:
        return _set_metavars(super().get_params(ctx))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the commands first, which a newcomer looks for, then the options."""
        self.format_commands(ctx, formatter)
        _write_options(self.get_params(ctx), ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands by panel, all in columns of one width."""
        panels: dict[str, list[tuple[str, str]]] = {}
        names = self.list_commands(ctx)
        width = max(map(len, names), default=0)
        for name in names:
            command: Any = self.get_command(ctx, name)
            if command is None or command.hidden:
                continue
            panel = getattr(command, "rich_help_panel", None)
            title = panel if isinstance(panel, str) else "Commands"
            summary = (command.help or "").partition("\n")[0]
            panels.setdefault(title, []).append((name.ljust(width), summary))
        for title, rows in panels.items():
            with formatter.section(_bold(title)):
                formatter.write_dl(rows)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        _write_examples(self.epilog, formatter)

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
            rich_markup_mode=None,
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


def _bold(title: str) -> str:
    return typer.style(title, bold=True)  # left out unless this is a terminal


def _write_options(parameters: list[Any], ctx: Any, formatter: Any) -> None:
    """Write a section for the arguments and one for the options."""
    for kind, title in (("argument", "Arguments"), ("option", "Options")):
        records = [each.get_help_record(ctx) for each in parameters if each.param_type_name == kind]
        rows = [(name.strip(), text) for name, text in filter(None, records)]
        if rows:
            with formatter.section(_bold(title)):
                formatter.write_dl(rows)


def _write_examples(epilog: str | None, formatter: Any) -> None:
    """Write one example per line; as a paragraph they would be joined."""
    if epilog:
        title, *lines = epilog.splitlines()
        with formatter.section(_bold(title.removesuffix(":"))):
            formatter.write("".join(f"  {line}\n" for line in lines))


def _format_examples(examples: Sequence[str]) -> str | None:
    """Return the foot of a help text."""
    if not examples:
        return None
    title = "Example:" if len(examples) == 1 else "Examples:"
    return "\n".join([title, *(f"$ {line}" for line in examples)])
