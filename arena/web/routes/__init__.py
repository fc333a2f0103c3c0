"""The HTTP API: each route parses a request, calls the layers below and shapes the response.

Start reading in `api` (battles, votes, leaderboards), whose requests wait for one transaction in
`group_commit`; `schemas` has the responses. `clips` serves videos, `releases` and `seals` what is
published, `health` the probes. May import `middleware` and what that imports.
"""
