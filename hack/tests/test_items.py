"""What a suite has to show is held against the tests that pytest collects."""

from pathlib import Path

import pytest

from hack.items import Item, ItemsError, Suite, collect, page, problems_of, read

TESTS = """
import pytest

class TestIt:
    @pytest.mark.parametrize("text", ["a", "b::c[d]"])
    def test_one(self, text): pass

def test_another(): pass
"""
ITEMS = """
accounted = ["tests/"]

[[group]]
name = "All of it"
items = [["the one", "tests/test_it.py::TestIt"], ["the other", "tests/test_it.py::test_another", "unit_tests"]]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A suite on disk, with settings of its own for one of its folders."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "it"\ndescription = "Is tested"\n')
    (tmp_path / "items.toml").write_text(ITEMS)
    for name in ("tests", "unit_tests"):
        (tmp_path / name).mkdir()
    (tmp_path / "tests" / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "tests" / "test_it.py").write_text(TESTS)
    (tmp_path / "unit_tests" / "test_unit.py").write_text("def test_unit(): pass\n")
    return tmp_path


def test_every_case_is_counted(folder: Path) -> None:
    assert collect(folder) == {
        "tests/test_it.py::TestIt::test_one": 2,
        "tests/test_it.py::test_another": 1,
        "unit_tests/test_unit.py::test_unit": 1,
    }


def test_the_page_says_which_tests_show_what(folder: Path) -> None:
    suite = read(folder)
    assert problems_of(suite) == []
    text = page([suite])
    assert "| Is tested | 2 | 4 |" in text
    assert "| the one | `tests/test_it.py::TestIt` (2) |\n" in text
    assert "| the other | `tests/test_it.py::test_another`<br>`unit_tests` |\n" in text


def test_what_is_wrong_is_named(folder: Path) -> None:
    suite = read(folder)
    items = (Item("nothing shows it", ()), Item("gone", ("tests/test_it.py::test_one",)))
    wrong = Suite(suite.name, suite.description, (("All of it", items),), suite.accounted, suite.collected)
    where = f"suites/{suite.name}/items.toml"
    assert problems_of(wrong) == [
        f"{where}: no test shows 'nothing shows it'",
        f"{where}: there is no test tests/test_it.py::test_one",
        f"{where} does not name tests/test_it.py::TestIt::test_one",
        f"{where} does not name tests/test_it.py::test_another",
    ]


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("items.toml", None, "is missing"),
        ("items.toml", "group = [1]", "needs"),
        ("items.toml", "[[", "needs"),
        ("tests/test_it.py", "import does_not_exist", "pytest cannot collect"),
    ],
)
def test_what_cannot_be_read_is_refused(folder: Path, file: str, text: str | None, said: str) -> None:
    if text is None:
        (folder / file).unlink()
    else:
        (folder / file).write_text(text)
    with pytest.raises(ItemsError, match=said):
        read(folder)
