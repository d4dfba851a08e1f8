"""How architectures are searched: the loop of ask and tell, and what searchers share."""
