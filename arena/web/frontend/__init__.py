"""What browsers load before a page's script runs: HTML, style sheets, JavaScript, icons.

Start reading in `pages`, which answers the requests, and `streamlit_page`, which changes
Streamlit's index page. `assets` serves the vote page's files, which are in `arena.web.duel`, and
`streamlit_settings` sets every setting of Streamlit. May import `rendering`.
"""
