"""Tables of metrics: none yet. Figures are read from the handoffs."""
