"""Static files with names that carry their content's hash, ES module imports included."""

from django.contrib.staticfiles.storage import StaticFilesStorage
from whitenoise.storage import CompressedManifestStaticFilesStorage


class ModuleManifestStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # whitenoise has no types
    """Hashed and compressed files; `import … from "./x.js"` in a module is rewritten to the hashed name as well.

    Where collectstatic was never run the files go out under their own names, found where they lie: the pages then work
    as well, only without caching for ever.
    """

    support_js_module_import_aggregation = True
    max_post_process_passes = 20
    """A pass for each level of modules that import modules; not one that comments make: their `import()` counts too."""

    def url(self, name: str, force: bool = False) -> str:
        """The address of a static file."""
        if not self.hashed_files:
            return StaticFilesStorage.url(self, name)
        return str(super().url(name, force))
