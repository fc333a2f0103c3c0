"""Processes and sockets: what runs the application, and what runs beside it.

Start reading in `http_protocol` (how requests are read) and `workers` (several processes on one
port: `balance`, `handoff`). `pages_process` and `background` run beside them, by `child_process`.
Imports nothing else of `arena.web`; the processes import `arena.web.app` once they run.
"""
