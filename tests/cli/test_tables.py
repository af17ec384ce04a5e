"""The tables in the documents are those that the command makes."""

import pathlib
import subprocess
import sys

import pytest

from t2t_lite.trainer.cli import tables

ROOT = pathlib.Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "problems.md"
COMMAND = "python -m t2t_lite.trainer.cli.tables"


@pytest.fixture(scope="module")
def printed():
    """What the command prints, in a process without tests' registrations."""
    ended = subprocess.run(
        [sys.executable, *COMMAND.split()[1:]],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_the_document_is_up_to_date(printed):
    text = DOCUMENT.read_text()
    begin, end = "<!-- table of problems -->", "<!-- end of table of problems"
    found = text[text.index(begin) + len(begin) : text.index(end)].strip()
    assert found == printed.strip(), f"{COMMAND} --write=docs/problems.md"
    assert f"`{COMMAND} --kind=problems --write=docs/problems.md`" in text


def test_every_problem_has_a_row(printed):
    rows = [line.split(" | ") for line in printed.splitlines()]
    sort = next(row for row in rows if row[0] == "| `algorithmic_sort`")
    assert sort[1:4] == ["text to text", "generated", "`exact_match`"]
    assert "`transformer`" in sort[4]


def test_write_changes_the_table_alone(run_command, tmp_path):
    path = tmp_path / "problems.md"
    stale = DOCUMENT.read_text().replace("| `algorithmic_sort` |", "| `x` |")
    path.write_text(stale)
    status, output, error = run_command(tables, "tables", f"--write={path}")
    assert (status, output) == (0, ""), error
    before, _, after = stale.partition("<!-- table of problems -->")
    written = path.read_text()
    assert written.startswith(before)
    assert written.endswith(after.partition("<!-- end of table of")[2])
    assert "| `algorithmic_sort` |" in written
    assert "| `x` |" not in written
    assert [p.name for p in tmp_path.iterdir()] == ["problems.md"]


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        (b"# none\n", [], "no lines <!-- table of problems -->"),
        (b"\xff", [], "not UTF-8"),
        (b"", ["--kind=problem"], "--kind=problem: expected one of problems"),
    ],
)
def test_mistakes_are_one_line(
    run_command, tmp_path, content, arguments, message
):
    path = tmp_path / "x.md"
    path.write_bytes(content)
    status, _, error = run_command(
        tables, "tables", f"--write={path}", *arguments
    )
    assert status == 2
    assert message in error
    assert len(error.splitlines()) == 1
    assert path.read_bytes() == content


def test_missing_document(run_command, tmp_path):
    status, _, error = run_command(
        tables, "tables", f"--write={tmp_path / 'no.md'}"
    )
    assert status == 1
    assert "no.md" in error
