-- Which alert changed, by whom and why: what a history of incidents is made of, also when the alert itself is forgotten.

ALTER TABLE transition ADD COLUMN about BLOB;
