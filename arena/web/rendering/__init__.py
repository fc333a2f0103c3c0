"""What pages show: leaderboards as HTML tables and charts, logo, texts and colours.

Functions of their arguments alone, without Streamlit and without a database: start reading in
`tables`. Here and not in `arena.web.views`, whose folder Streamlit puts in front of Python's path
while a page's script runs. Imports nothing else of `arena.web`.
"""
