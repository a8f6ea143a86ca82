"""What ``posepipe app`` gives to Streamlit, in a folder of its own: Streamlit puts that folder on the import path."""

from posepipe.ui.main import main

main()
