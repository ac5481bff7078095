"""Each job's best slots, where jobs don't disturb each other."""
