"""Features → logits: the linear layer, how it is trained, what held-out texts decide, and the file that keeps it."""
