"""Numbers first, as records that become JSON; then tables and sentences for a terminal, and the page."""
