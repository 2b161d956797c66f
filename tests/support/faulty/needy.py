"""A plugin whose SDK is not installed."""

import sdk_that_nobody_has  # type: ignore[import-not-found]

Plugin = sdk_that_nobody_has.Plugin
