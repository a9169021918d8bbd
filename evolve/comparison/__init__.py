"""Programs beside each other: on a campaign's plan, on tables of tasks, and on tasks that no search has seen.

What "better" and "tied" mean is said in `results.comparison` alone.
"""
