"""The tools around the pipeline: the `cleanplate` command and the review page."""
