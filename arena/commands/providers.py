"""The command `arena providers`: models behind their makers' APIs that can be entered by name."""

from arena.commands.options import TrackOption, open_configured_arena
from arena.commands.output import FormatOption, TableFormat, out, show_table


def providers(track: TrackOption = None, format: FormatOption = TableFormat.TABLE) -> None:
    """List the API providers that are known: models, tracks, list price of a clip, key set or not.

    Sends nothing. Prices are as of the day when the provider's documents were read.
    """
    from arena import production
    from arena.catalog.tracks import find_track, list_tracks

    with open_configured_arena().database.reading() as session:
        tracks = [find_track(session, track)] if track else list_tracks(session)
        offers = production.list_offers(tracks)
    columns = (
        *("provider", "model", "track", "usd a clip", "key", "read", "ends", "mark"),
        *("prompt rewriting", "adapted"),
    )
    rows = [
        (
            offer.provider,
            offer.model,
            offer.track,
            None if offer.price_usd is None else f"{offer.price_usd:.2f}",
            offer.key,
            offer.read,
            offer.ends,
            offer.mark,
            offer.rewriting,
            list(offer.adapted),
        )
        for offer in offers
    ]
    show_table("Providers", columns, rows, format, if_empty="No provider can serve these tracks.")
    if format is TableFormat.TABLE and out.is_terminal:
        out.print("Next: `arena entrants add NAME`.")
