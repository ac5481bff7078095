"""The command line: `thrifty`. Each room brings its own commands, which are imported when they are called, not before.

A command is a function: it parses, calls and prints. The result goes to stdout, progress and errors to stderr. A user's mistake is one line,
``error: rule, value, fix``, and exit code 2; a traceback is always a defect of thrifty.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from thrifty.errors import ThriftyError
from thrifty.printing import print_json
from thrifty.version import __version__

ROOMS: Final[dict[str, tuple[str, str]]] = {
    "workload": ("thrifty.workload.cli:app", "What runs: list, show and trace workloads."),
    "hardware": ("thrifty.hardware.cli:app", "Where it runs: devices, systems and sites; calibrate this machine."),
    "operators": ("thrifty.lenses.operators.cli:app", "What dominates: operators, attention, sequences and rooflines."),
    "carbon": ("thrifty.lenses.carbon.cli:app", "Who emits what, and when: embodied and hourly operational carbon, ledgers, attribution, reports."),
    "numerics": ("thrifty.lenses.numerics.cli:app", "How far results drift: rounding, sums, attention, any operator, training; bounds and budgets."),
    "parallelize": ("thrifty.levers.parallelize.cli:app", "How to spread training and serving over devices: plans evaluated, searched, explained."),
    "steward": ("thrifty.levers.steward.cli:app", "When, where and how long to run, what supply to build: decisions with certificates."),
    "validate": ("thrifty.measure.cli:validate_app", "Hold the models against reality."),
}
"""Command -> the typer app behind it, and the line that --help shows without importing it."""

JOINED: Final[dict[str, dict[str, str]]] = {"hardware": {"calibrate": "thrifty.measure.cli:calibrate"}}
"""Command -> further commands under it that a higher floor brings; a room's own cli.py could not import them."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
UsageError: Final[Any] = typer.BadParameter.__base__
"""A command line that does not parse. Typer carries its own copy of click and exports only the child of this class."""


class LazyGroup(TyperGroup):
    """A group that knows its rooms by name and help line, and imports one only when its command is called."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for name, (_, line) in ROOMS.items():
            self.add_command(TyperCommand(name, help=line), name)

    def list_commands(self, ctx: Any) -> list[str]:
        order = ["assess", "compare", *ROOMS]
        return sorted(self.commands, key=lambda name: (order.index(name) if name in order else len(order), name))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        return name, room_command(name) if name in ROOMS else command, rest


def room_command(name: str) -> Any:
    """The command of one room, imported now."""
    room: typer.Typer = named(ROOMS[name][0])
    for word, home in JOINED.get(name, {}).items():
        if word not in {command.name for command in room.registered_commands}:
            room.command(word)(named(home))
    room.rich_markup_mode = None  # plain help everywhere: the same on a terminal, in a file and in the docs
    command = typer.main.get_group(room)
    command.help = ROOMS[name][1]
    return command


def named(place: str) -> Any:
    """The object at `module:attribute`."""
    module, _, attribute = place.partition(":")
    return getattr(importlib.import_module(module), attribute)


app = typer.Typer(
    name="thrifty", cls=LazyGroup, add_completion=False, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False,
    help="Make machine-learning systems do more with less time, memory, energy and carbon, and prove it.",
)  # fmt: skip
plugins_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Parts that other packages add.")
app.add_typer(plugins_app, name="plugins")


def show_version(wanted: bool) -> None:
    """Print the version and stop."""
    if wanted:
        typer.echo(f"thrifty {__version__}")
        raise typer.Exit()


@app.callback()
def root(version: Annotated[bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version.")] = False) -> None:
    pass


@app.command()
def assess(
    workload: Annotated[str, typer.Argument(help="Catalogue name, model folder, .gguf file or package.module:callable.")] = "smollm2-135m",
    on: Annotated[list[str] | None, typer.Option("--on", metavar="DEVICE", help="Where (repeat for several). [default: this-machine]")] = None,
    site: Annotated[str | None, typer.Option(metavar="SITE", help="The place whose grid and prices count.")] = None,
    number_format: Annotated[str | None, typer.Option("--format", metavar="FORMAT", help="Number format. [default: what really runs]")] = None,
    batch: Annotated[str | None, typer.Option(metavar="N", help="Sequences or samples at once.")] = None,
    seq: Annotated[str | None, typer.Option(metavar="N", help="Tokens of the prompt.")] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of report.html, report.json and trace.json.")] = Path("thrifty-report"),
    as_json: Json = False,
) -> None:
    """The main job: run a workload, price it, compare devices, and rank what would help most."""
    import thrifty
    from thrifty.progress import showing

    with showing() as progress:
        done = thrifty.assess(workload, on=on, site=site, format=number_format, batch=batch, seq=seq, out=out, progress=progress)
    if as_json:
        print_json(done.to_dict())
    else:
        typer.echo("\n".join(done.lines()))


@app.command()
def compare(
    before: Annotated[Path, typer.Argument(metavar="A.json", help="The report.json of one assessment.")],
    after: Annotated[Path, typer.Argument(metavar="B.json", help="The report.json of another.")],
    as_json: Json = False,
) -> None:
    """What changed between two assessments, and why."""
    from thrifty.assessment import compare as compare_reports

    found = compare_reports(before, after)
    if as_json:
        print_json(found.to_dict())
    else:
        typer.echo("\n".join(found.lines()))


@app.command()
def formats(as_json: Json = False) -> None:
    """Number formats: their names, bits and bytes."""
    from thrifty.formats import all_formats

    known = all_formats()
    if as_json:
        fields = ("name", "title", "family", "bits", "block", "block_bytes", "exponent_bits", "mantissa_bits", "bytes_per_number", "arithmetic")
        print_json([{field: getattr(each, field) for field in fields} for each in known])
        return
    typer.echo(f"{'name':10} {'bits':>4} {'bytes a number':>14}  {'multiplied as':13}  what it is")
    for each in known:
        typer.echo(f"{each.name:10} {each.bits:4} {each.bytes_per_number:14g}  {each.arithmetic:13}  {each.title}")


@app.command()
def doctor(
    deep: Annotated[bool, typer.Option("--deep", help="Also import every optional package, and ask torch for its devices.")] = False,
    as_json: Json = False,
) -> None:
    """Which extras, threads, caches and devices are seen."""
    from thrifty.doctor import diagnose

    found = diagnose(deep=deep)
    if as_json:
        print_json(found.to_dict())
    else:
        typer.echo("\n".join(found.lines()))


@plugins_app.callback()
def plugins() -> None:
    """Parts that other packages add."""


@plugins_app.command("list")
def plugins_list(as_json: Json = False) -> None:
    """Every installed plug-in, with its package."""
    from thrifty.plugins import GROUPS, installed_plugins

    found = installed_plugins()
    if as_json:
        print_json([plugin.to_dict() for plugin in found])
        return
    for plugin in found:
        typer.echo(f"{plugin.group:18} {plugin.name:20} {plugin.package} {plugin.version}: {plugin.summary}")
    if not found:
        typer.echo("No plug-in is installed. A package adds one by an entry point in one of these groups:")
        for group, what in GROUPS.items():
            typer.echo(f"  {group:18} {what}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 2 a user's mistake, 130 interrupted."""
    command = typer.main.get_command(app)
    try:
        code = command.main(args=None if arguments is None else list(arguments), prog_name="thrifty", standalone_mode=False)
    except ThriftyError as error:
        return complain(str(error))
    except UsageError as error:
        message = str(error.format_message())
        return complain(message if message.startswith("Usage:") else f"{message} See: {error.ctx.command_path if error.ctx else 'thrifty'} --help")
    except MemoryError as error:
        return complain(f"this machine's memory does not hold it{f': {error}' if str(error) else ''}. Choose smaller sizes.")
    except (KeyboardInterrupt, typer.Abort):
        return 130
    return code if isinstance(code, int) else 0


def complain(message: str) -> int:
    """Print a user's mistake on stderr (a group called without a command prints its help instead) and return the exit code."""
    typer.echo(message if message.startswith("Usage:") else f"error: {' '.join(message.split())}", err=True)
    return 2


if __name__ == "__main__":
    sys.exit(main())
