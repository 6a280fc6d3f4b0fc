"""What pages of HTML are made of: style, scripts, templates, and data inside a page."""
