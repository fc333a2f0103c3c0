"""Order a video once: repeat a request only if the server surely did not accept it.

The official client repeats a POST after a timeout and after any status of 500 and above. The server
may have accepted such an order, and would then bill two.
"""

import time
from collections.abc import Callable
from http import HTTPStatus

import openai
from openai.types import Video

from generator.backends.ordering import NOT_SENT, retry_after
from generator.orders import OrderEnd, OrderJournal
from generator.waiting import pause

RETRY_S, MAX_RETRY_S = 0.5, 8.0  # between attempts, the same as the client's
# A server or gateway that answers with another status of 500 and above may have passed it on.
NOT_ACCEPTED = frozenset({HTTPStatus.NOT_IMPLEMENTED, HTTPStatus.HTTP_VERSION_NOT_SUPPORTED})


def order_once(
    send: Callable[[], Video], *, journal: OrderJournal, max_retries: int, deadline: float
) -> Video:
    """Send an order; send it again only after an answer, or a lack of one, that rules it out.

    Args:
        send: Sends the order, without retries of its own.
        journal: Notes each attempt before it is sent, and one that was surely not accepted.
        max_retries: Number of repetitions.
        deadline: Latest start of a repetition, in seconds of `time.monotonic`.

    Raises:
        openai.OpenAIError: The last attempt failed; `may_be_accepted` says what this means.
        GeneratorError: The journal does not allow the order.
    """
    for attempt in range(max_retries):
        journal.placing()
        try:
            return send()
        except openai.OpenAIError as error:
            wait_s = _wait_before_retry(error, attempt)
            if wait_s is None or time.monotonic() + wait_s > deadline:
                raise
        journal.ended(OrderEnd.REJECTED)  # while waiting there is no order
        pause(wait_s)
    journal.placing()
    return send()


def may_be_accepted(error: openai.OpenAIError) -> bool:
    """Whether the server may have accepted an order that ended with this error."""
    if isinstance(error, openai.APIStatusError):
        status = error.status_code
        is_failure = status >= HTTPStatus.INTERNAL_SERVER_ERROR and status not in NOT_ACCEPTED
        return is_failure and not _is_busy(error)
    return not isinstance(error.__cause__, NOT_SENT)


def _is_busy(error: openai.APIStatusError) -> bool:
    """Whether the server asks for another attempt: 503 alone can also come from a gateway."""
    return error.status_code == HTTPStatus.TOO_MANY_REQUESTS or (
        error.status_code == HTTPStatus.SERVICE_UNAVAILABLE
        and retry_after(error.response.headers) is not None
    )


def _wait_before_retry(error: openai.OpenAIError, attempt: int) -> float | None:
    """Seconds until the next attempt; None if there must not be one."""
    backoff_s = min(MAX_RETRY_S, RETRY_S * 2**attempt)
    if isinstance(error, openai.APIStatusError):
        if not _is_busy(error):
            return None
        requested_s = retry_after(error.response.headers)
        return backoff_s if requested_s is None else requested_s
    return None if may_be_accepted(error) else backoff_s
