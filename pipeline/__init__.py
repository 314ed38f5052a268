"""What Cleanplate computes. Knows no DVC, no command line and no stage's file names."""
