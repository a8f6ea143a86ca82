"""The app's pages, each a function that Streamlit runs from top to bottom."""
