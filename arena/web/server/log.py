"""Shows the arena's own messages on standard error."""

import logging

from ratings.printable import printable


class _PrintableFormatter(logging.Formatter):
    """Shows control characters of requests and names as escapes."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def log_to_stderr() -> None:
    """Show the arena's own messages: failures of the stores, damaged clips."""
    handler = logging.StreamHandler()
    handler.setFormatter(_PrintableFormatter("%(asctime)s %(levelname)s %(message)s"))
    logging.getLogger("arena").addHandler(handler)
