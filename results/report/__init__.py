"""The report of a campaign: one HTML file, or Markdown with figures beside it.

Both show what `results.views` makes of the campaign, the same numbers as the dashboard. The HTML file needs nothing
else: no script, no network; its content security policy allows its own style sheet only.
"""
