"""What the papers claim (``claims.yaml``), the rules that judge it, and the ledger of all
verdicts."""
