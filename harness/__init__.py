"""Benchmark-and-evaluation harness for cross-domain generalization of searched architectures.

`__init__.pyi` lists the stable names, which are what entries, plug-ins and notebooks import; each is loaded
when it is first used.
"""

import lazy_loader

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
