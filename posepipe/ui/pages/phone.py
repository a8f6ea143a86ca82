"""A phone as the camera: where it finds the page, as a picture to scan, and why its browser warns."""

from __future__ import annotations

from html import escape
from pathlib import Path

import streamlit as st

from posepipe.texts import Texts
from posepipe.ui.access import is_loopback

__all__ = ["page_addresses", "phone"]


def phone(text: Texts) -> None:
    """Draw the way in, or how to start the app so that there is one."""
    with st.expander(text("phone.title"), icon=":material/qr_code_2:"):
        file = st.get_option("server.sslCertFile")
        found = page_addresses()
        if not file or not found:
            st.markdown(text("phone.start" if not file else "phone.no_network"))
            return
        picture, words = st.columns([1, 3])
        with picture:
            st.html(_code(found[0], text("phone.code", url=found[0])))
        with words:
            st.markdown(text("phone.scan", urls=", ".join(f"`{url}`" for url in found)))
            st.markdown(text("phone.warning"))
            st.caption(f"{text('phone.fingerprint')}: `{_fingerprint(Path(file))}`")


def page_addresses() -> list[str]:
    """Where other machines of this network find the page; none if it is only for this one."""
    from posepipe.ui.certificate import addresses

    listens, port = str(st.get_option("server.address") or "localhost"), st.get_option("server.port")
    if is_loopback(listens):
        return []
    scheme = "https" if st.get_option("server.sslCertFile") else "http"
    there = addresses() if listens in ("0.0.0.0", "::") else [listens]
    return [f"{scheme}://{one}:{port}" for one in there]


def _code(url: str, said: str) -> str:
    """A QR code; on white, whatever the theme: else it can't be read."""
    import segno

    drawn = segno.make(url, error="m", micro=False).svg_data_uri(scale=6, border=4, light="white", encode_minimal=False)
    return f'<img class="posepipe-qr" src="{escape(drawn)}" alt="{escape(said)}" style="max-width: 100%">'


def _fingerprint(file: Path) -> str:
    from posepipe.ui.certificate import fingerprint

    return fingerprint(file)
