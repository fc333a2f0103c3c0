"""The pages: Streamlit runs `script` on each visit; each page is a function in its own module.

Start reading in `script` and `leaderboard`. Streamlit passes no arguments, so pages look up their
arena in `app_state`. May import everything of `arena.web` but `app`; from `routes` they take what
they show as the API does. Streamlit puts this folder in front of Python's path: give no module the
name of a library.
"""
