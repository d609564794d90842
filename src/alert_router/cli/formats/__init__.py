"""Output formats that several commands or several readers share."""
