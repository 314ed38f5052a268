"""`cleanplate NAME`: one file per command; its `main` is the command, its docstring the help."""
