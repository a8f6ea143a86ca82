"""The app: ``streamlit run app.py`` or ``posepipe app``."""

from posepipe.ui.main import main

main()
