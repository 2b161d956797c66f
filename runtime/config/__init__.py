"""The configuration: what may stand in the file, how it is read, and how it is changed.

The order of dependence: ``errors``; ``text``, which is pure and knows nothing of fields; the
modules of this folder, from ``places`` and ``model`` up to ``load``; ``edit``, which writes.
"""
