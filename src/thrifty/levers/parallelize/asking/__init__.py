"""What can be asked about plans: the best of a space, why one takes so long, other hardware, two pools of devices."""
