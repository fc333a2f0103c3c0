"""What a run will cost at paid services: shown, agreed to, and kept within a limit."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from arena.commands.output import confirm, is_interactive, out, show_table
from arena.errors import ProductionError
from arena.text import pluralize

if TYPE_CHECKING:
    from arena.context import Arena
    from arena.production import Bill, PendingClip


@dataclass(frozen=True)
class Budget:
    """What the operator has said about money.

    Attributes:
        dry_run: only show the bill.
        max_usd: order until the sum of list prices would pass this.
        yes: do not ask.
    """

    dry_run: bool = False
    max_usd: float | None = None
    yes: bool = False


def agree_on_bill(
    arena: "Arena", pending: "list[PendingClip]", budget: Budget
) -> "list[PendingClip]":
    """Show what the clips will cost, and return those that may be made now.

    Clips that cost nothing need no agreement.

    Raises:
        ProductionError: something would be paid for, nobody can be asked, and neither --yes nor
            --max-usd was given.
        typer.Abort: the answer is no.
    """
    from arena import production

    with arena.database.reading() as session:
        bill = production.make_bill(session, pending)
    if budget.dry_run:
        _show(bill, len(pending))
        return []
    if not bill.prices:
        return pending
    if budget.max_usd is not None:
        kept = bill.within(budget.max_usd, pending)
        if left_out := len(pending) - len(kept):
            out.print(
                f"Left out {pluralize(left_out, 'clip')}: with them the list price would pass "
                f"{budget.max_usd:.2f} US dollars, or is not known."
            )
        return kept
    question = f"Order {pluralize(len(bill.prices), 'clip')} for {_sum(bill)}?"
    if not budget.yes and not is_interactive():
        raise ProductionError(
            f"This would order {pluralize(len(bill.prices), 'clip')} for {_sum(bill)}: use --yes "
            "or --max-usd N, or --dry-run to see the bill."
        )
    confirm(question, yes=budget.yes)
    return pending


def _sum(bill: "Bill") -> str:
    total = f"{bill.total_usd:,.2f} US dollars at list prices"
    return f"{total}, and {bill.unpriced} at unknown prices" if bill.unpriced else total


def _show(bill: "Bill", clips: int) -> None:
    columns = (
        *("entrant", "track", "clips", "ordered before", "list price usd", "expected minutes"),
        *("adapted", "dropped", "cannot be ordered"),
    )
    rows = [
        (
            line.entrant,
            line.track,
            line.clips,
            line.continued,
            None if line.price_usd is None else f"{line.price_usd:.2f}",
            None if line.seconds is None else f"{line.seconds / 60:.1f}",
            list(line.adapted),
            list(line.dropped),
            list(line.problems),
        )
        for line in bill.lines
    ]
    show_table("Bill", columns, rows, if_empty="Nothing is ordered from a paid service.")
    ordered = sum(line.clips + line.continued + len(line.problems) for line in bill.lines)
    out.print(
        f"{pluralize(clips, 'clip')} missing, {len(bill.prices):,} to be ordered for {_sum(bill)}. "
        "Nothing was ordered."
        if ordered
        else f"{pluralize(clips, 'clip')} missing. Nothing was generated."
    )
