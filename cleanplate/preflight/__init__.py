"""What `cleanplate check` looks at before a run."""
