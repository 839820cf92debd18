"""Event-driven trading: market ticks become signals, orders and portfolios, for each broker on a path of its own."""
