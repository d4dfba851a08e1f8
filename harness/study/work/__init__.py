"""Work that units of several studies share."""
