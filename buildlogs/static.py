"""Static files with names that carry their content's hash, ES module imports included."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class ModuleManifestStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # whitenoise has no types
    """Hashed and compressed files; `import … from "./x.js"` in a module is rewritten to the hashed name as well."""

    support_js_module_import_aggregation = True
