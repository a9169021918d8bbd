r"""The report of a campaign: what was found, how far it is ahead, where it came from, and how it was run.

`results.report.build.build` reads the database into a `results.report.model.Report`, plain records without markup;
`results.report.rendering` makes one HTML file of it, or Markdown with figures beside it. Both show the same numbers.

* It can be made at any moment: of a campaign that is running, that has no valid program yet, that was never promoted.
* The HTML file needs nothing else: no script, no network; its content security policy allows its own style sheet only.
* Whatever a model or a candidate wrote is text: escaped, with escapes such as ``\x1b`` for what cannot be seen.
"""
