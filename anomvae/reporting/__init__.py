"""Results of scenes as one self-contained page.

`report` (`page`) finds scored scenes (`results`), gathers what a page shows of each
(`scene_report`: maps reduced to `cells`, `score_counts`, `picture`, `objects`, `measured`), puts it
into sentences (`findings`, `promise`), and renders a template with the widgets of `pages`
(`contents`, `sections`).  Nothing here needs torch.
"""

from typing import TYPE_CHECKING

from .. import lazily

if TYPE_CHECKING:
    from .page import Report, report

__all__ = ["Report", "report"]

__getattr__ = lazily(__name__, {"page": ("Report", "report")})
