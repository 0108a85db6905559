"""The event log refuses update and delete, on both databases.

The one door: on PostgreSQL the transaction setting `handoff.redaction` = 'on', on SQLite a row in
leads_redactiondoor. Only the audited redaction pass and the tests' flush open it.
"""

from django.db import migrations

POSTGRESQL = """
CREATE FUNCTION leads_event_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('handoff.redaction', true) = 'on' THEN
        RETURN COALESCE(NEW, OLD);
    END IF;
    RAISE EXCEPTION 'leads_event is append-only' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER leads_event_append_only BEFORE UPDATE OR DELETE ON leads_event
    FOR EACH ROW EXECUTE FUNCTION leads_event_is_append_only();
"""
POSTGRESQL_BACK = """
DROP TRIGGER leads_event_append_only ON leads_event;
DROP FUNCTION leads_event_is_append_only();
"""
SQLITE = [
    f"""
    CREATE TRIGGER leads_event_no_{verb.lower()} BEFORE {verb} ON leads_event
    WHEN NOT EXISTS (SELECT 1 FROM leads_redactiondoor)
    BEGIN SELECT RAISE(ABORT, 'leads_event is append-only'); END;
    """
    for verb in ("UPDATE", "DELETE")
]
SQLITE_BACK = ["DROP TRIGGER leads_event_no_update", "DROP TRIGGER leads_event_no_delete"]


def forwards(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(POSTGRESQL, params=None)
    else:
        for statement in SQLITE:
            schema_editor.execute(statement, params=None)


def backwards(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(POSTGRESQL_BACK, params=None)
    else:
        for statement in SQLITE_BACK:
            schema_editor.execute(statement, params=None)


class Migration(migrations.Migration):
    dependencies = [("leads", "0001_initial")]
    operations = [migrations.RunPython(forwards, backwards)]
