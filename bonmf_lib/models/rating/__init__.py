"""Models of ratings, one file each: the network and its equations."""
