// WriteSQLite
