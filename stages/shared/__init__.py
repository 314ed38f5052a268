"""Code shared by several stages: command line, cost estimate, trained model, training set."""
