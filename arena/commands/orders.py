"""The command `arena orders`: what was ordered from paid services, and what became of it."""

from arena.commands.options import EntrantOption, TrackOption, open_configured_arena
from arena.commands.output import FormatOption, TableFormat, show_table
from arena.commands.selection import select


def orders(
    track: TrackOption = None,
    entrant: EntrantOption = None,
    format: FormatOption = TableFormat.TABLE,
) -> None:
    """List the orders to paid services; `arena generate` continues those that were accepted."""
    from arena.production.orders import list_orders

    arena = open_configured_arena()
    with arena.database.reading() as session:
        listed = list_orders(session, **select(session, track, entrant))
    columns = ("id", "entrant", "track", "prompt", "seed", "state", "service id", "when", "reason")
    rows = [
        (
            order.id,
            order.entrant,
            order.track,
            order.prompt_id,
            order.seed,
            order.state.value,
            order.order_id,
            f"{order.updated_at:%Y-%m-%dT%H:%M:%SZ}",
            order.reason,
        )
        for order in listed
    ]
    show_table("Orders", columns, rows, format, if_empty="Nothing was ordered.")
