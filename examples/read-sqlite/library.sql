-- A small library: `sqlite3 examples/read-sqlite/out-library.db < examples/read-sqlite/library.sql`. May be run again.
DROP TABLE IF EXISTS books;
DROP TABLE IF EXISTS authors;
CREATE TABLE authors (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE books (id INTEGER PRIMARY KEY, author INTEGER NOT NULL REFERENCES authors (id), year INTEGER, title TEXT NOT NULL);
INSERT INTO authors (name) VALUES ('Ada'), ('Charles'), ('Mary'), ('Grace');
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
INSERT INTO books (author, year, title)
SELECT 1 + i % 4, CASE WHEN i % 7 THEN 1800 + i % 150 END,
  CASE i % 3 WHEN 0 THEN 'Notes on' WHEN 1 THEN 'A history of' ELSE 'Letters about' END || ' the engine, volume ' || i
FROM n;
