"""Telling others that builds and logs have finished: what is told, to whom, and how it gets there.

What is to be told is written in the transaction in which it happened (`outbox`), and delivered by a thread of the
server (`background`) after it, so that no build waits for a receiver and a kill at any instant loses nothing. What
goes out is signed as Standard Webhooks has it (`signing`); nothing is sent to addresses inside the network unless the
site's keeper allows it (`addresses`). This room must not read logs, nor wait for a receiver inside a transaction.
"""
