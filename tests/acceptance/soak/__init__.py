"""The soak: writers and viewers for a while, in bad weather, on real servers; at the end nothing is lost.

`script/soak [SECONDS [SEED]]` runs it for any length. Each actor decides by a generator of its own that is seeded with
the soak's seed and the actor's name, so a seed gives the same decisions; the machine's timing is not part of it.
"""
