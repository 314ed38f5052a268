"""Predictions in, numbers out: metrics, intervals, class priors, votes, corrected tests."""
