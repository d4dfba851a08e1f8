"""Search spaces: declared choices and the architectures they span."""
