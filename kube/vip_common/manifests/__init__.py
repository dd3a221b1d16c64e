"""Reading manifests: which files, and the documents that they hold."""
