"""A page of the arena as a browser opens it: Streamlit's WebSocket, and a run of its script."""

from urllib.parse import urlsplit

import websocket
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

TIMEOUT_S = 60.0


class PageError(Exception):
    """The script of a page did not run to its end."""


class PageSession:
    """One open page.

    Args:
        address: of the arena, such as `http://127.0.0.1:8501`.
    """

    def __init__(self, address: str) -> None:
        self._socket = websocket.create_connection(
            f"ws://{urlsplit(address).netloc}/_stcore/stream",
            subprotocols=["streamlit"],
            origin=address,
            timeout=TIMEOUT_S,
        )

    def show(self, page: str, query: str = "") -> int:
        """Run the script of a page, and return how many bytes the server sent.

        Args:
            page: such as "leaderboard"; "" is the page of votes.
            query: of the page's address.

        Raises:
            PageError: the script failed.
        """
        asked = BackMsg()
        asked.rerun_script.page_name = page
        asked.rerun_script.query_string = query
        self._socket.send_binary(asked.SerializeToString())
        received = 0
        while True:
            content = self._socket.recv()
            received += len(content)
            message = ForwardMsg.FromString(content)
            kind = message.WhichOneof("type")
            if kind == "delta" and message.delta.new_element.HasField("exception"):
                raise PageError(message.delta.new_element.exception.message)
            if kind == "script_finished":
                if message.script_finished != ForwardMsg.FINISHED_SUCCESSFULLY:
                    raise PageError(str(message.script_finished))
                return received

    def close(self) -> None:
        """Leave the page."""
        self._socket.close()
