"""The arena: database, rules, command line and web server.

Layers, each of which may import those above it: `models`, `database`, `media`, `settings`,
`errors`; `catalog` (tracks, entrants, prompts); `voting` (battles, votes) and `standings`
(leaderboards); `production` (clips), `release` (exports) and `simulation`; `commands` and `web`.
Start with `models`, then follow a vote from `voting.ballots` and a clip from
`production.produce_clips`.
"""
