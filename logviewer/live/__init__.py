"""Events, announcements, the hub and the producer: how stored bytes reach those who watch."""
