-- Sizes change: what a graph began with, and when it was resized and expanded.
ALTER TABLE graphs ADD COLUMN origin_size_index TEXT;
ALTER TABLE graphs ADD COLUMN resized INTEGER;
ALTER TABLE graphs ADD COLUMN replicas INTEGER NOT NULL DEFAULT 1;
ALTER TABLE graphs ADD COLUMN expanded INTEGER;
UPDATE graphs SET origin_size_index = size_index;
