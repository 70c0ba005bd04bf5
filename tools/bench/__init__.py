"""`make bench`: what the client costs, against floors and a peer, into docs/performance.md."""
