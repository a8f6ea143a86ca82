"""The app: ``streamlit run app.py``; ``posepipe app`` starts the same and can do more."""

import os
from pathlib import Path

from starlette.middleware import Middleware
from streamlit.starlette import App

import posepipe.ui
from posepipe.ui.addresses import ROUTES
from posepipe.ui.gate import Gate
from posepipe.ui.leaving import Leaving

gate = Middleware(Gate, local=True, password=os.environ.get("POSEPIPE_PASSWORD"))
script = Path(posepipe.ui.__file__).parent / "script" / "streamlit_app.py"
app = App(script, routes=ROUTES, middleware=[gate, Middleware(Leaving)])
