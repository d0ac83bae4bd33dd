"""Makes pages of the notebooks, which stand outside of `docs`, as they were committed."""

from __future__ import annotations

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files

_ROOT = Path(__file__).parents[2]


@event_priority(100)  # before mkdocs_ipynb turns them into Markdown
def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The files of the site, with the notebooks; called by MkDocs."""
    for path in sorted((_ROOT / "notebooks").glob("*.ipynb")):
        uri = path.relative_to(_ROOT).as_posix()
        files.append(File(uri, str(_ROOT), config.site_dir, config.use_directory_urls))
    return files
