"""How the nouns look from outside: JSON shapes, problems, and who may see or do what. It writes nothing."""
