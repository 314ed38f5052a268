"""What the data and a trained model are like: audit, exploration, background reliance, report, sheets."""
