"""The access log, append-only by triggers on both databases, with the one door of the event log.

SQLite drops a table's triggers with the table: a later migration that makes it anew has to make them anew too.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

TABLE = "leads_accessentry"
POSTGRESQL = f"""
CREATE TRIGGER {TABLE}_append_only BEFORE UPDATE OR DELETE ON {TABLE}
    FOR EACH ROW EXECUTE FUNCTION leads_row_is_kept()
"""
POSTGRESQL_BACK = f"DROP TRIGGER {TABLE}_append_only ON {TABLE}"
SQLITE = [
    f"CREATE TRIGGER {TABLE}_no_{verb.lower()} BEFORE {verb} ON {TABLE} "
    f"WHEN NOT EXISTS (SELECT 1 FROM leads_redactiondoor) "
    f"BEGIN SELECT RAISE(ABORT, '{TABLE} is append-only'); END"
    for verb in ("UPDATE", "DELETE")
]
SQLITE_BACK = [f"DROP TRIGGER {TABLE}_no_{verb}" for verb in ("update", "delete")]


def forwards(apps, schema_editor):
    is_postgresql = schema_editor.connection.vendor == "postgresql"
    for statement in [POSTGRESQL] if is_postgresql else SQLITE:
        schema_editor.execute(statement, params=None)


def backwards(apps, schema_editor):
    is_postgresql = schema_editor.connection.vendor == "postgresql"
    for statement in [POSTGRESQL_BACK] if is_postgresql else SQLITE_BACK:
        schema_editor.execute(statement, params=None)


class Migration(migrations.Migration):

    dependencies = [
        ('leads', '0019_finding_sides'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='AccessEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('kind', models.CharField(choices=[('signed_in', 'Signed in'), ('sign_in_failed', 'Failed to sign in'), ('locked_out', 'Was locked out'), ('signed_out', 'Signed out'), ('exported', 'Took a file'), ('revealed', 'Was shown all that is held of a lead'), ('roles_changed', 'Changed roles'), ('password_set', "Set somebody's password"), ('second_set', 'Set up a second step'), ('second_taken', 'Took a second step away'), ('ended', 'Ended sessions elsewhere'), ('untied', 'Forgot somebody at the provider'), ('activated', 'Activated a person'), ('deactivated', 'Deactivated a person'), ('key_made', 'Made an API key'), ('key_revoked', 'Revoked an API key'), ('secret_changed', 'Changed a secret'), ('connection_changed', 'Changed a connection'), ('rules_published', 'Put rules in force'), ('policy_changed', 'Changed a policy'), ('setting_changed', 'Changed a setting'), ('signed', 'Signed a proposal'), ('definition_changed', 'Changed the MQL definition')], max_length=20)),
                ('about', models.CharField(blank=True, max_length=20)),
                ('about_id', models.CharField(blank=True, max_length=100)),
                ('address', models.CharField(blank=True, max_length=45)),
                ('request_id', models.CharField(blank=True, max_length=64)),
                ('detail', models.JSONField(blank=True, default=dict)),
                ('api_key', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='leads.apikey')),
                ('user', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name_plural': 'access entries',
                'ordering': ['-at', '-id'],
                'indexes': [models.Index(fields=['-at', '-id'], name='access_by_time'), models.Index(fields=['kind', '-at', '-id'], name='access_by_kind'), models.Index(fields=['user', '-at', '-id'], name='access_by_user'), models.Index(fields=['about', 'about_id'], name='access_by_object')],
            },
        ),
        migrations.RunPython(forwards, backwards),
    ]
