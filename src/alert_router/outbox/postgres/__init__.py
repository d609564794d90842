"""The store on PostgreSQL, shared by several routers."""
