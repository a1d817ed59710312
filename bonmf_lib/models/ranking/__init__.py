"""Models of what a user takes next, one file each: the network or matrix and its equations."""
