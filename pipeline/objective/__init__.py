"""What the classifier is asked and what its training minimises: heads, losses, class weights."""
