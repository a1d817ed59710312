"""What is shown: tables, sentences and figures, all made from records. Trains nothing."""
