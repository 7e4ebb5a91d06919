from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def _know_the_column(_apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Have PostgreSQL look at the new column: before it does, it takes one row in 200 for one without a time.

    All queries for logs ask for those, which are nearly all.
    """
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ANALYZE logviewer_logfile (deletion_began_at)")


class Migration(migrations.Migration):

    dependencies = [
        ('logviewer', '0013_webhooks'),
    ]

    operations = [
        migrations.AddField(
            model_name='logfile',
            name='deletion_began_at',
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddIndex(
            model_name='logfile',
            index=models.Index(condition=models.Q(('deletion_began_at__isnull', False)), fields=['deletion_began_at'], name='log_being_deleted'),
        ),
        migrations.RunPython(_know_the_column, migrations.RunPython.noop),
    ]
