"""What pages have counted is kept, with how often each week has changed."""

from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Ledger',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('zone', models.CharField(blank=True, max_length=64)),
                ('settled_to', models.BigIntegerField(blank=True, null=True)),
                ('marks', models.JSONField(default=dict)),
                ('barrier_event', models.BigIntegerField(blank=True, null=True)),
                ('barrier_xid', models.BigIntegerField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name='Snapshot',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=64)),
                ('first', models.DateField(help_text='the Monday of the first week')),
                ('weeks', models.PositiveSmallIntegerField()),
                ('marks', models.TextField()),
                ('made_at', models.DateTimeField()),
                ('good_until', models.DateTimeField(blank=True, null=True)),
                ('payload', models.JSONField()),
            ],
            options={
                'indexes': [models.Index(fields=['made_at'], name='snapshot_by_age')],
                'constraints': [models.UniqueConstraint(fields=('key', 'first', 'weeks'), name='one_snapshot_of_each')],
            },
        ),
    ]
