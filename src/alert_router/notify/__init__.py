"""The notifiers: what each destination is sent, and how. `registry` lists them."""
