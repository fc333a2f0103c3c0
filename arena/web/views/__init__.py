"""The pages: Streamlit runs `script` on each visit; each page is a function in its own module."""
