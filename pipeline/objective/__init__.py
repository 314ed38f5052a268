"""The heads of the classifier and its training objective: losses, class weights, class prior."""
