"""How bytes move: frames, links, calls. Imports nothing else of Trunkline."""
