"""Defines, reads and changes the configuration file.

The order of dependence: ``errors``; ``text``, which is pure and knows nothing of fields; the
modules of this folder, from ``places`` and ``model`` up to ``load``; ``edit``, which writes.
"""
