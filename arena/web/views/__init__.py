"""The pages. Streamlit runs `script` for each visit; every page is a function in its own module."""
