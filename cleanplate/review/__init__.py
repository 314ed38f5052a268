"""The review page: a person settles in the browser what the audit suspects. `cleanplate review` starts it."""
