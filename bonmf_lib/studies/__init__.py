"""What explains rows: practices behind printed numbers, signatures of failure, overlap, what
pictures are used for."""
