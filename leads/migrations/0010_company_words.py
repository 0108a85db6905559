"""The companies that have a word, found without going through the people who have it."""

from django.db import migrations, models

from leads.migrations._beside import AddIndexBeside


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("leads", "0009_decided_pairs"),
    ]

    operations = [
        AddIndexBeside(
            model_name="searchword",
            index=models.Index(
                condition=models.Q(("company__isnull", False)),
                fields=["word", "company"],
                name="search_company_by_word",
                opclasses=["varchar_pattern_ops", "int8_ops"],
            ),
        ),
    ]
