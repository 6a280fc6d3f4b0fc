"""The pages of a watch: a folder of HTML that shows sites, scenes and events, without a server.

`write_pages` reads the state once (`reading`), plans the pages (`site_pages`, `scene_page`,
`event_page`, `index_page`), each with a digest of all that it shows, and writes those whose digest
has changed (`folder`).  So a pass over one new scene opens the results of that scene alone.
"""

from typing import TYPE_CHECKING

from ... import lazily

if TYPE_CHECKING:
    from .writing import PagesWritten, write_pages

__all__ = ["PagesWritten", "write_pages"]

__getattr__ = lazily(__name__, {"writing": ("PagesWritten", "write_pages")})
