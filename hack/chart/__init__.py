"""What of the chart is generated: the schema of its values, the table in its README, and install.yaml."""
