"""Which modules the zygote imports for all workers: those of the channels in use."""

from __future__ import annotations

from runtime.config.load import Loaded


def of(loaded: Loaded) -> list[str]:
    """Return the modules of the channels that are configured."""
    return sorted(
        {
            reference.partition(":")[0]
            for spec in loaded.accounts.values()
            if spec.enabled and spec.configured and spec.launcher == "zygote"
            for reference in (spec.manifest_ref, spec.manifest.plugin)
        }
    )
