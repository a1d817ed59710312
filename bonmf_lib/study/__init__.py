"""Records, claims, ledger and figures: what was measured, what was claimed, and how it is shown. Trains nothing."""
