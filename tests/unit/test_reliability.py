"""The page of what was tried is the one that the tests give."""

import pytest

from tests.reliability import PAGE, cases, page


def test_the_page_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == page(cases()), "run python -m tests.reliability"


def test_a_case_without_its_three_texts_is_refused(tmp_path):
    (tmp_path / "test_one.py").write_text(
        "@pytest.mark.case('numbers', 'tried')\ndef test_one(): ...\n"
    )
    with pytest.raises(ValueError, match=r"test_one\.py::test_one"):
        cases(tmp_path)
