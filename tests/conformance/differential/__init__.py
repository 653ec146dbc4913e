"""Scripts of raw requests, run on two servers, and the comparison of what both answer; see README.md."""
