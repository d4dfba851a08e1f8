"""What a search by language models adds: roles, decoding, and reading of replies."""
