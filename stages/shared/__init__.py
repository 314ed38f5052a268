"""What several stages need: the command line, the cost estimate, the trained model, the training set."""
