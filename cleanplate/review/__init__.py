"""The review page, on which a person decides about the audit's suspects. `cleanplate review` starts it."""
