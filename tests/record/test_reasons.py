"""The one list of reasons."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from posepipe.errors import UsageError
from posepipe.reasons import Reason, explain, markdown_table, withheld

DOC = Path(__file__).resolve().parents[2] / "docs" / "results-format.md"


@pytest.mark.parametrize("reason", list(Reason))
def test_each_has_a_sentence_for_people(reason):
    sentence = explain(reason)
    assert sentence == explain(reason.value)
    assert sentence[0].isupper() and sentence.endswith(".")
    assert "_" not in sentence
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", reason.value)


def test_sentences_differ():
    assert len({explain(reason) for reason in Reason}) == len(Reason)


def test_a_reason_is_its_code():
    assert str(Reason.TOO_SHORT) == f"{Reason.TOO_SHORT}" == "too_short" == Reason.TOO_SHORT
    assert json.dumps(withheld(Reason.TOO_SHORT)) == '{"withheld": "too_short"}'


def test_unknown_reason_names_the_valid_ones():
    with pytest.raises(UsageError, match=r"moon_phase.*too_short"):
        explain("moon_phase")


def test_the_document_lists_them_all():
    text = DOC.read_text(encoding="utf-8")
    table = text.split("<!-- reasons -->")[1].split("<!-- /reasons -->")[0].strip()
    assert table == markdown_table()
