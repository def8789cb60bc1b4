"""Results kept in Parquet and published."""
