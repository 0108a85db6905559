"""The agreement in versions, and how it changes: proposals, signatures, comments.

The database holds the governance by triggers, on both sides alike: agreements, definitions, signatures and
comments are never edited or deleted, the terms of a proposal stay, a settled one stays settled, and an
agreement or definition that comes from a proposal needs the signatures of both sides and its threshold.
Definitions that were there before are marked by the default of the new column. The door is that of the log.

SQLite drops a table's triggers with the table: a later migration that makes one of these anew has to make its
triggers anew too.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


KEPT = ("leads_agreement", "leads_mqldefinition", "leads_signature", "leads_proposalcomment")
FROM_PROPOSAL = ("leads_agreement", "leads_mqldefinition")
TERMS = (
    "changes_id", "done", "threshold", "high_intent", "targets", "reasons", "why", "side", "proposed_by_id",
    "created_at", "wanted_at", "backtest", "backtest_at",
)
SHUT = "NOT EXISTS (SELECT 1 FROM leads_redactiondoor)"
UNSIGNED = """NEW.proposal_id IS NOT NULL
    AND (SELECT count(*) FROM leads_signature s WHERE s.proposal_id = NEW.proposal_id) < 2"""
OTHER_TERMS = """NEW.proposal_id IS NOT NULL AND EXISTS (SELECT 1 FROM leads_proposal p WHERE p.id = NEW.proposal_id
    AND (p.threshold <> NEW.threshold OR p.high_intent <> NEW.high_intent))"""


def _sqlite():
    """Name and statement of each trigger."""

    def made(name, when, table, condition, message):
        return name, (
            f"CREATE TRIGGER {name} BEFORE {when} ON {table} WHEN {condition} "
            f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
        )

    for table in KEPT:
        for verb in ("UPDATE", "DELETE"):
            yield made(f"{table}_no_{verb.lower()}", verb, table, SHUT, f"{table} is append-only")
    changed = " OR ".join(f"NEW.{name} IS NOT OLD.{name}" for name in TERMS)
    yield made("leads_proposal_no_delete", "DELETE", "leads_proposal", SHUT, "leads_proposal is kept")
    yield made(
        "leads_proposal_stays", "UPDATE", "leads_proposal", f"{SHUT} AND (OLD.state <> 'open' OR {changed})",
        "the terms of a proposal stay, and a settled one stays settled",
    )
    for table in FROM_PROPOSAL:
        yield made(f"{table}_is_signed", "INSERT", table, UNSIGNED, "both sides have to sign first")
    yield made(
        "leads_mqldefinition_as_signed", "INSERT", "leads_mqldefinition", OTHER_TERMS,
        "a definition says what was signed",
    )
    yield made(
        "leads_mqldefinition_is_new", "INSERT", "leads_mqldefinition", "NEW.predates_agreement",
        "a new definition comes from a proposal",
    )


POSTGRESQL = f"""
CREATE FUNCTION leads_row_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('handoff.redaction', true) = 'on' THEN
        RETURN COALESCE(NEW, OLD);
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE FUNCTION leads_proposal_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('handoff.redaction', true) IS DISTINCT FROM 'on' AND (OLD.state <> 'open' OR
        {" OR ".join(f"NEW.{name} IS DISTINCT FROM OLD.{name}" for name in TERMS)}) THEN
        RAISE EXCEPTION 'the terms of a proposal stay, and a settled one stays settled'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION leads_is_signed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF {UNSIGNED} THEN
        RAISE EXCEPTION 'both sides have to sign first' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION leads_definition_as_signed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.predates_agreement OR ({OTHER_TERMS}) THEN
        RAISE EXCEPTION 'a definition says what was signed' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER leads_proposal_no_delete BEFORE DELETE ON leads_proposal
    FOR EACH ROW EXECUTE FUNCTION leads_row_is_kept();
CREATE TRIGGER leads_proposal_stays BEFORE UPDATE ON leads_proposal
    FOR EACH ROW EXECUTE FUNCTION leads_proposal_stays();
CREATE TRIGGER leads_mqldefinition_as_signed BEFORE INSERT ON leads_mqldefinition
    FOR EACH ROW EXECUTE FUNCTION leads_definition_as_signed();
""" + "".join(
    f"""
CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION leads_row_is_kept();
"""
    for table in KEPT
) + "".join(
    f"""
CREATE TRIGGER {table}_is_signed BEFORE INSERT ON {table}
    FOR EACH ROW EXECUTE FUNCTION leads_is_signed();
"""
    for table in FROM_PROPOSAL
)
POSTGRESQL_BACK = """
DROP FUNCTION leads_row_is_kept() CASCADE;
DROP FUNCTION leads_proposal_stays() CASCADE;
DROP FUNCTION leads_is_signed() CASCADE;
DROP FUNCTION leads_definition_as_signed() CASCADE;
"""


def forwards(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(POSTGRESQL, params=None)
    else:
        for _, statement in _sqlite():
            schema_editor.execute(statement, params=None)


def backwards(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(POSTGRESQL_BACK, params=None)
    else:
        for name, _ in _sqlite():
            schema_editor.execute(f"DROP TRIGGER {name}", params=None)


class Migration(migrations.Migration):

    dependencies = [
        ('leads', '0010_company_words'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Agreement',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('version', models.PositiveIntegerField(unique=True)),
                ('done', models.TextField(max_length=4000)),
                ('targets', models.JSONField()),
                ('reasons', models.JSONField()),
                ('in_force_from', models.DateTimeField(unique=True)),
            ],
            options={
                'ordering': ['-version'],
            },
        ),
        migrations.CreateModel(
            name='Proposal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('done', models.TextField(max_length=4000)),
                ('threshold', models.IntegerField()),
                ('high_intent', models.JSONField()),
                ('targets', models.JSONField()),
                ('reasons', models.JSONField()),
                ('why', models.TextField(max_length=2000)),
                ('side', models.CharField(choices=[('marketing', 'Marketing'), ('sales', 'Sales')], max_length=9)),
                ('created_at', models.DateTimeField()),
                ('wanted_at', models.DateTimeField(blank=True, null=True)),
                ('backtest', models.JSONField(blank=True, default=dict)),
                ('backtest_at', models.DateTimeField(blank=True, null=True)),
                ('state', models.CharField(choices=[('open', 'Open'), ('adopted', 'Adopted'), ('declined', 'Declined'), ('withdrawn', 'Withdrawn')], default='open', max_length=9)),
                ('settled_at', models.DateTimeField(blank=True, null=True)),
                ('settled_note', models.TextField(blank=True, max_length=2000)),
            ],
            options={
                'ordering': ['-created_at', '-id'],
            },
        ),
        migrations.CreateModel(
            name='ProposalComment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('text', models.TextField(max_length=2000)),
            ],
            options={
                'ordering': ['at', 'id'],
            },
        ),
        migrations.CreateModel(
            name='Signature',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('side', models.CharField(choices=[('marketing', 'Marketing'), ('sales', 'Sales')], max_length=9)),
                ('at', models.DateTimeField()),
            ],
            options={
                'ordering': ['at', 'id'],
            },
        ),
        migrations.AddField(
            model_name='mqldefinition',
            name='predates_agreement',
            # What is there already predates; nothing that comes does.
            field=models.BooleanField(default=True, editable=False),
        ),
        migrations.AlterField(
            model_name='mqldefinition',
            name='predates_agreement',
            field=models.BooleanField(default=False, editable=False),
        ),
        migrations.AlterField(
            model_name='mqldefinition',
            name='created_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='agreement',
            name='definition',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='agreements', to='leads.mqldefinition'),
        ),
        migrations.AddField(
            model_name='proposal',
            name='changes',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='proposals', to='leads.agreement'),
        ),
        migrations.AddField(
            model_name='proposal',
            name='proposed_by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='proposal',
            name='settled_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='agreement',
            name='proposal',
            field=models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='agreement', to='leads.proposal'),
        ),
        migrations.AddField(
            model_name='mqldefinition',
            name='proposal',
            field=models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='leads.proposal'),
        ),
        migrations.AddConstraint(
            model_name='mqldefinition',
            constraint=models.CheckConstraint(condition=models.Q(('version', 1), ('proposal__isnull', False), ('predates_agreement', True), _connector='OR'), name='definition_from_proposal'),
        ),
        migrations.AddField(
            model_name='proposalcomment',
            name='by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='proposalcomment',
            name='proposal',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='comments', to='leads.proposal'),
        ),
        migrations.AddField(
            model_name='signature',
            name='person',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='signature',
            name='proposal',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='signatures', to='leads.proposal'),
        ),
        migrations.AddIndex(
            model_name='proposal',
            index=models.Index(condition=models.Q(('state', 'open')), fields=['changes'], name='proposal_open'),
        ),
        migrations.AddConstraint(
            model_name='proposal',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('settled_at__isnull', True), ('settled_by__isnull', True), ('state', 'open')), models.Q(models.Q(('state', 'open'), _negated=True), ('settled_at__isnull', False), ('settled_by__isnull', False)), _connector='OR'), name='proposal_settled_by_somebody'),
        ),
        migrations.AddConstraint(
            model_name='proposal',
            constraint=models.CheckConstraint(condition=models.Q(('why', ''), _negated=True), name='proposal_says_why'),
        ),
        migrations.AddConstraint(
            model_name='agreement',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('proposal__isnull', True), ('version', 1)), models.Q(('proposal__isnull', False), ('version__gt', 1)), _connector='OR'), name='agreement_from_proposal'),
        ),
        migrations.AddConstraint(
            model_name='signature',
            constraint=models.UniqueConstraint(fields=('proposal', 'side'), name='one_signature_per_side'),
        ),
        migrations.AddConstraint(
            model_name='signature',
            constraint=models.UniqueConstraint(fields=('proposal', 'person'), name='one_side_per_person'),
        ),
        migrations.AddConstraint(
            model_name='signature',
            constraint=models.CheckConstraint(condition=models.Q(('side__in', ['marketing', 'sales'])), name='signature_of_a_side'),
        ),
        migrations.RunPython(forwards, backwards),
    ]
