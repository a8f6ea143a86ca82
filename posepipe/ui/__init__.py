"""The app: Streamlit pages over the pipeline. Pages only show; every number comes from the rooms below."""
