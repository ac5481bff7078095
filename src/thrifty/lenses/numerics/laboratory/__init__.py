"""Attention, every step rounded as a policy says (brief: forward). The folder is not called `attention`: the public function is."""
