"""What came from elsewhere or goes there, held within bounds: names, texts, keys, sockets, children."""
