"""15: what texts and pictures are worth on a catalogue of one's own; its report, its files, and
predictions without training."""
