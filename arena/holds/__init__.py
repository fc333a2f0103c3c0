"""The ledger of holds: which votes do not count, by which rule, and why.

Start with `status`, which says whether a vote counts; `ledger` is the table of events, the only
module that writes it; `rules` explains each rule; `decisions` are those of people who run the
arena. The rules themselves look at votes in `arena.audit.screening`. May import:
`arena.canonical`, `arena.models`, `arena.errors`.
"""
