"""The words that search looks up, filled for what there is, and the indexes of lists that had none.

Not one transaction: indexes are built beside those who write, and a million leads are read in steps. A run
that was interrupted is simply begun again.
"""

import django.db.models.deletion
from django.db import migrations, models, transaction

from leads.migrations._beside import AddIndexBeside, ForeignKeysBeside
from leads.search.folding import company_words, lead_words

CHUNK = 2000


def fill(apps, schema_editor):
    word = apps.get_model("leads", "SearchWord")
    for name, own, fields, words_of in (
        ("Company", "company_id", ("name", "domain"), company_words),
        ("Lead", "lead_id", ("first_name", "last_name", "email"), lead_words),
    ):
        rows = apps.get_model("leads", name).objects.order_by("pk")
        if name == "Lead":
            rows = rows.filter(merged_into=None)
        last = 0
        while found := list(rows.filter(pk__gt=last).values_list("pk", *fields)[:CHUNK]):
            last = found[-1][0]
            made = (word(word=text, **{own: pk}) for pk, *values in found for text in words_of(*values))
            with transaction.atomic(schema_editor.connection.alias):
                word.objects.using(schema_editor.connection.alias).bulk_create(made)


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ("leads", "0006_lists"),
    ]

    operations = [
        migrations.RunSQL("DROP TABLE IF EXISTS leads_searchword", migrations.RunSQL.noop),
        migrations.CreateModel(
            name="SearchWord",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("word", models.CharField(max_length=60)),
                (
                    "company",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="leads.company",
                    ),
                ),
                (
                    "lead",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="leads.lead",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("lead__isnull", False)),
                        fields=("lead", "word"),
                        name="search_word_of_lead",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("company__isnull", False)),
                        fields=("company", "word"),
                        name="search_word_of_company",
                    ),
                ],
                "indexes": [
                    models.Index(
                        fields=["word", "lead", "company"],
                        name="search_by_word",
                        opclasses=["varchar_pattern_ops", "int8_ops", "int8_ops"],
                    ),
                ],
            },
        ),
        AddIndexBeside(
            model_name="externalid",
            index=models.Index(fields=["value"], name="external_id_by_value"),
        ),
        AddIndexBeside(
            model_name="handoff",
            index=models.Index(
                condition=models.Q(
                    ("follow_up_at__isnull", True),
                    ("is_history", False),
                    ("next_step", "triage"),
                    ("state", "rejected"),
                ),
                fields=["-closed_at", "-id"],
                name="handoff_to_triage",
            ),
        ),
        AddIndexBeside(
            model_name="handoff",
            index=models.Index(
                condition=models.Q(("completion_visits__gt", 0), ("is_history", False)),
                fields=["-mql_at"],
                name="handoff_was_held",
            ),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
        ForeignKeysBeside(),
    ]
