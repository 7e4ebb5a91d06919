"""Addresses of static files, with and without collectstatic."""

from pathlib import Path

from django.core.management import call_command

from buildlogs.static import ModuleManifestStorage


def test_without_collectstatic_files_go_by_their_own_names(settings, tmp_path: Path):
    settings.STATIC_ROOT = tmp_path
    assert ModuleManifestStorage(location=tmp_path).url("logviewer/css/base.css") == "/static/logviewer/css/base.css"


def test_after_collectstatic_names_carry_a_hash_in_modules_too(settings, tmp_path: Path):
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "buildlogs.static.ModuleManifestStorage", "OPTIONS": {"location": str(tmp_path)}},
    }
    call_command("collectstatic", interactive=False, verbosity=0)
    storage = ModuleManifestStorage(location=tmp_path)
    address = storage.url("logviewer/js/build.js")
    assert address != "/static/logviewer/js/build.js"
    module = (tmp_path / address.removeprefix("/static/")).read_text()
    imported = storage.url("logviewer/js/build-state.js").rsplit("/", 1)[1]
    assert f"./{imported}" in module
