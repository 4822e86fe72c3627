"""How the documentation is built: ``tox -e docs``."""

from __future__ import annotations

import sys
from pathlib import Path

from hub_callbacks import __version__

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "hub-callbacks"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "from_code"]
exclude_patterns = ["_build"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

default_role = "py:obj"  # a name in single backticks, in a docstring
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
napoleon_attr_annotations = False
napoleon_use_ivar = True
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = "hub-callbacks"
html_show_copyright = False
