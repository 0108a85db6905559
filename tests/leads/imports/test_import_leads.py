"""`manage.py import_leads`: the same rooms from the shell."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from leads.models import Handoff, ImportPreset, Lead, LeadImport
from tests.factories import route_to
from tests.leads.imports.books import book
from tests.leads.imports.files import HEADER, csv_of, row

pytestmark = pytest.mark.django_db


@pytest.fixture
def file(tmp_path):
    def write(content: bytes, name: str = "leads.csv") -> str:
        path = tmp_path / name
        path.write_bytes(content)
        return str(path)

    return write


def ran(*arguments: str) -> tuple[dict, str, int]:
    out, err, status = StringIO(), StringIO(), 0
    try:
        call_command("import_leads", *arguments, "--json", stdout=out, stderr=err)
    except SystemExit as end:
        status = end.code
    return json.loads(out.getvalue()), err.getvalue(), status


def test_a_file_is_taken_once(cast, file) -> None:
    route_to(cast.femke)
    path = file(csv_of(row(1), row(2)))
    counts, _, status = ran(path, "--source", "Fair")
    assert (counts["rows"], counts["taken"], counts["handed"], counts["failed"], status) == (2, 2, 2, 0, 0)
    assert set(Lead.objects.values_list("lead_source", flat=True)) == {"Fair"}
    counts, _, status = ran(path, "--source", "Fair")
    assert (counts["taken"], counts["repeated"], status) == (0, 2, 0)
    assert Handoff.objects.count() == 2


def test_failed_rows_are_told_and_end_with_one(cast, file) -> None:
    counts, told, status = ran(file(csv_of(row(1), row(2, country="Narnia"))))
    assert (counts["taken"], counts["failed"], status) == (1, 1, 1)
    assert told == "row 3, Country: “Narnia” is not a country.\n"


def test_a_dry_run_writes_nothing(cast, file) -> None:
    counts, told, status = ran(file(csv_of(row(1), row(2, country="Narnia"))), "--dry-run")
    assert (counts["rows"], counts["failed"], counts["dry_run"], status) == (2, 1, True, 1)
    assert "Narnia" in told
    assert not Lead.objects.exists() and not LeadImport.objects.exists() and not ImportPreset.objects.exists()


def test_a_workbook_named_csv_quietly_with_a_preset(cast, file) -> None:
    route_to(cast.femke)
    content = book(
        ("Id", "Name", "Title", "Company", "Email"), (7, "Ada Lovelace", "CEO", "Engines", "a@engines.com")
    )
    counts, _, _ = ran(file(content), "--preset", "salesforce", "--kind", "hand_over", "--quiet")
    assert counts["taken"] == 1
    lead = Lead.objects.get()
    assert (lead.first_name, lead.job_title) == ("Ada", "CEO")
    assert lead.external_ids.get().system == "salesforce"
    assert Handoff.objects.get().is_quiet


@pytest.mark.parametrize(
    ("content", "arguments", "words"),
    [
        (b"", (), "empty"),
        (b"Heading\nvalue\n", (), "Say which column"),
        (csv_of(row(1)), ("--preset", "none"), "no preset"),
    ],
)
def test_what_cannot_be_taken_says_why_and_leaves_nothing(cast, file, content, arguments, words) -> None:
    with pytest.raises(CommandError, match=words):
        call_command("import_leads", file(content), *arguments)
    with pytest.raises(CommandError, match="No such file"):
        call_command("import_leads", "/nowhere/leads.csv")
    assert not LeadImport.objects.exists()


def test_in_words(cast, file) -> None:
    out = StringIO()
    call_command("import_leads", file(csv_of(row(1, trigger=""), header=HEADER)), stdout=out)
    assert out.getvalue().startswith("1 rows: 1 taken, 1 of them handed over and 0 held for data")
