"""The arena: database, rules, command line and web server.

Layers, lowest first: `errors`, `error_log`, `files`, `text`, `validation`; `models`; `database`,
`media`, `settings`, `shipped`; `catalog` (tracks, entrants, prompts); `context` (an opened arena);
`voting` (battles, votes); `standings` (leaderboards); `production` (clips), `release` (exports),
`integrity` (of files), `health` (of the stores) and `simulation`; `web`; `commands`. A layer may
import those below it; import-linter checks it. Start with `models`, then follow a vote from
`voting.ballots` and a clip from `production.produce_clips`.
"""

import logging

# The server shows the messages; a command reports its own failure, in one line.
logging.getLogger(__name__).addHandler(logging.NullHandler())
