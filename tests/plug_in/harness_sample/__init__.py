"""A catalog folder as a package: searchers/, tasks/, search_spaces/ and so on stand in it."""
