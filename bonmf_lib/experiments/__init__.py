"""Lists of rows: what is trained for every notebook, and what the rows are called."""
