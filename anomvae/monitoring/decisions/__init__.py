"""What a scored scene means: its outcome, the events of its site, and drift.

`outcomes` decides whether a scene is normal, anomalous or not comparable.  `candidates` are the
pixels that the rules of a site leave.  The site's persistence map (`persistence`, on its
`site_grid`) counts them per pixel; `events` are connected pixels of that map.  `drift` compares a
scene with the training reference.  A `Decision` is all of it, recorded in one transaction.
"""
