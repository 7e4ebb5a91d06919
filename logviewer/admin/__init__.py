"""Django's admin for the nouns. It holds no logic of its own."""
