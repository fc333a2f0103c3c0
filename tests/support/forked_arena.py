"""The program `arena`, run in forks of one process that has imported it: a new one takes seconds.

For tests whose commands a shell runs. A fork has the arguments, the environment, the folder and the
files that the shell gave to the program.
"""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAM = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({path!r})
    message = [sys.argv[1:], dict(os.environ), os.getcwd()]
    socket.send_fds(server, [json.dumps(message).encode()], [0, 1, 2])
    sys.exit(int(server.recv(8)))
"""
SERVER = """
import json, os, socket, sys
import arena.__main__, arena.commands.cli, arena.context, arena.production, arena.release

listening = socket.socket(fileno=int(sys.argv[1]))
while True:
    client, _ = listening.accept()
    text, files, *_ = socket.recv_fds(client, 1 << 20, 3)
    if (child := os.fork()) == 0:
        words, environment, folder = json.loads(text)
        for number, file in enumerate(files):
            os.dup2(file, number)
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        sys.argv = ["arena", *words]
        arena.__main__.main()
        sys.exit()
    for file in files:
        os.close(file)
    client.send(b"%d" % os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    client.close()
"""


@contextmanager
def arena_program(folder: Path) -> Iterator[None]:
    """Write the program `arena` into a folder; it works within the block.

    One command at a time, of which none starts another one.
    """
    with tempfile.TemporaryDirectory() as short:  # a socket's path may have 107 bytes
        path = f"{short}/socket"
        program = folder / "arena"
        program.write_text(PROGRAM.format(python=sys.executable, path=path))
        program.chmod(0o755)
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(path)
            listening.listen()
            number = listening.fileno()
            server = subprocess.Popen(
                [sys.executable, "-c", SERVER, str(number)],
                pass_fds=[number],
                env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            )
        try:
            yield
        finally:
            server.kill()
            server.wait()
