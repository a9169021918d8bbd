r"""What report and dashboard show of a campaign: its numbers, its sections, its figures and one set of templates.

`campaign.view` reads a campaign from the database into a `CampaignView`, plain records without markup; `sections`
makes tables, figures and text of it, which the templates write as HTML or as Markdown. So the two views cannot differ.

* It can be made at any moment: of a campaign that is running, that has no valid program yet, that was never promoted.
* Every word for a task, a budget or a value is the campaign's `Metric`'s; better is what `results.comparison` says.
* Whatever a model or a candidate wrote is text: escaped, with escapes such as ``\x1b`` for what cannot be seen.
"""
