"""`arena seals` and `arena audit seals`."""

from typing import Annotated

import typer

from arena.commands.options import YesOption, open_configured_arena
from arena.commands.output import FormatOption, TableFormat, confirm, out, show_table
from arena.commands.typer_app import App
from arena.text import pluralize

KeyOption = Annotated[
    str | None,
    typer.Option("--key", metavar="FINGERPRINT", help="A key of the arena that you know."),
]

INCLUDED = "skips and answers to honey pairs included"  # what a seal counts as votes

seals_app = App(
    help="List and make seals: signed Merkle roots over the votes.",
    examples=["arena seals list", "arena seals make"],
)
audit_app = App(help="Check what the arena promises.", examples=["arena audit seals"])


@seals_app.command("list", examples=["arena seals list", "arena seals list --format csv"])
def list_seals(format: FormatOption = TableFormat.TABLE) -> None:
    """List the seals with their sizes, roots and keys."""
    from arena.audit.proofs import published_seals

    with open_configured_arena().database.reading() as session:
        payloads = [seal["payload"] for seal in published_seals(session)]
    columns = ("seal", "sealed_at", "votes", "watermark", "root", "key")
    rows = [
        (
            *(each["number"], each["sealed_at"], each["size"]),
            *(int(each["watermark"]), each["root"], each["key"]),
        )
        for each in payloads
    ]
    show_table("Seals", columns, rows, format, if_empty="No seals yet. Next: `arena seals make`.")


@seals_app.command("make", examples=["arena seals make"])
def make() -> None:
    """Seal the votes, commitments and claims that are new. A served arena does so by itself."""
    from arena.audit.seals import seal_votes
    from arena.context import utc_now

    made = seal_votes(open_configured_arena(), now=utc_now())
    if not made:
        out.print("Nothing is new since the last seal.")
        return
    last = made[-1]
    out.print(
        f"Made seal {last.number} over {pluralize(last.size, 'vote')}, {INCLUDED}. "
        "Next: `arena audit seals`."
    )


@seals_app.command("rotate-key", examples=["arena seals rotate-key"])
def rotate_key() -> None:
    """Replace the arena's key by a new one, which the old one signs."""
    from arena.audit.keys import rotate_key as rotate
    from arena.context import utc_now

    arena = open_configured_arena()
    signer = rotate(arena.settings.home, arena.database, now=utc_now())
    out.print(f"The arena's key is {signer.fingerprint} now. Next: `arena seals make`.")


@seals_app.command(
    "replace-lost-key",
    examples=['arena seals replace-lost-key --reason "The disk with the key failed."'],
)
def replace_lost_key(
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="One plain sentence, which is public.")
    ],
    yes: YesOption = False,
) -> None:
    """Begin with a new key after the old one was lost; every release and audit says so for good.

    Seals go on from the last one. Readers who know the old fingerprint are not led to the new key,
    which no key signs: they need its fingerprint from you.
    """
    from arena.audit.keys import replace_lost_key as replace
    from arena.context import utc_now

    arena = open_configured_arena()
    confirm(
        "Replace the arena's key for good? Look for a backup first: `arena verify --key` with the "
        "old fingerprint will fail from now on.",
        yes=yes,
    )
    signer = replace(arena.settings.home, arena.database, reason=reason, now=utc_now())
    out.print(
        f"The arena's key is {signer.fingerprint} now. Publish this fingerprint where readers "
        "trust it. Next: `arena seals make`."
    )


@audit_app.command("seals", examples=["arena audit seals"])
def audit_seals(key: KeyOption = None) -> None:
    """Check every vote of the database against the seals, and name those that differ."""
    from arena.audit.database_check import audit_seals as audit
    from arena.errors import AuditError

    found = audit(open_configured_arena().database, key=key)
    for fault in found.faults:
        out.print(fault)
    if found.faults:
        more = f" ({len(found.faults) - 1} more)" if len(found.faults) > 1 else ""
        raise AuditError(f"{found.faults[0]}{more}")
    known = "as given" if found.is_pinned else "not compared with one that you know: use --key"
    out.print(
        f"{pluralize(found.votes, 'vote')}, {INCLUDED}, in {pluralize(found.seals, 'seal')} are "
        f"as they were sealed; {pluralize(found.unsealed, 'vote')} not sealed yet. "
        f"Key {found.fingerprint}, {known}."
        + "".join(f" Note that {each}." for each in found.lost_keys)
    )
