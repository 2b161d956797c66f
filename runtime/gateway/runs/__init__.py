"""Has agents answer: the life of each run, and the turns that their workers take."""
