"""Settings of Sphinx for the documentation."""

import os
import sys
from pathlib import Path

# Read by numerical libraries when they are imported: tutorials run in this process.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_extensions"), str(HERE.parent)]

from brant_hf import __version__  # noqa: E402

project = "brant_hf"
author = "The brant_hf authors"
project_copyright = "2026, the brant_hf authors"
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "mathml",
    "docstrings",
]
exclude_patterns = ["_build", "_templates", "tutorials"]
templates_path = ["_templates"]

# No inventories of other projects: the build needs no network. Names of others are text, those of brant_hf links.
nitpick_ignore_regex = [("py:.*", r"(?!brant_hf\.).*")]

highlight_language = "text"  # of blocks that name no language
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autosummary_generate = True
autosummary_imported_members = True
autosummary_ignore_module_all = False
autodoc_typehints = "none"  # docstrings say types
autodoc_member_order = "bysource"
napoleon_preprocess_types = False

sphinx_gallery_conf = {
    "examples_dirs": "tutorials",
    "gallery_dirs": "auto_tutorials",
    "filename_pattern": r"\.py$",  # all of them are run
    "within_subsection_order": "FileNameSortKey",
    "image_scrapers": ("matplotlib",),
    "abort_on_example_error": True,
    "min_reported_time": 1,
    "show_memory": False,
    "remove_config_comments": True,
}

html_theme = "furo"
html_title = f"brant_hf {version}"
html_static_path = ["_static"]
html_css_files = ["documentation.css"]
html_math_renderer = "mathml"  # needs neither a network nor a program
html_show_sourcelink = False
copybutton_exclude = ".linenos, .gp, .go"
