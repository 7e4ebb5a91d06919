from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('logviewer', '0014_logs_being_deleted'),
    ]

    operations = [
        migrations.AlterField(
            model_name='jobrun',
            name='outcome',
            field=models.CharField(choices=[('done', 'Done'), ('part', 'Part'), ('failed', 'Failed'), ('stopped', 'Stopped'), ('lost', 'Lost')], max_length=7),
        ),
    ]
